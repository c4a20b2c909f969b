// What a module says of itself without being run: imports, exports, custom sections. Reads bytes of strangers: bounded, never throws.
// Form: https://webassembly.github.io/spec/core/binary/modules.html

export interface ModuleImport {
  readonly module: string;
  readonly name: string;
  readonly kind: string;
}

export interface ModuleExport {
  readonly name: string;
  readonly kind: string;
}

export interface ModuleSections {
  readonly imports: readonly ModuleImport[];
  readonly exports: readonly ModuleExport[];
  /** Custom sections by name, as they stand in the module; `.debug_…` and the like are among them. */
  readonly custom: readonly { readonly name: string; readonly bytes: Uint8Array }[];
  /** Bytes of code and of data. */
  readonly codeBytes: number;
  readonly dataBytes: number;
}

export type SectionsResult = { readonly ok: true; readonly sections: ModuleSections } | { readonly ok: false; readonly message: string };

const KINDS = ["function", "table", "memory", "global", "tag"] as const;
const HEADER = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const MOST_ENTRIES = 100_000;

class Malformed extends Error {}

/** Returns the sections of a module; a failure says in a few words what is wrong. */
export function readSections(bytes: Uint8Array): SectionsResult {
  if (!HEADER.every((byte, index) => bytes[index] === byte)) return { ok: false, message: "is no WebAssembly module" };
  const sections = { imports: [] as ModuleImport[], exports: [] as ModuleExport[], custom: [] as { name: string; bytes: Uint8Array }[], codeBytes: 0, dataBytes: 0 };
  try {
    const reader = new Reader(bytes.subarray(HEADER.length));
    while (!reader.atEnd) {
      const id = reader.byte();
      const content = reader.bytes(reader.number());
      const inner = new Reader(content);
      if (id === 0) sections.custom.push({ name: inner.text(), bytes: inner.rest() });
      else if (id === 2) sections.imports.push(...inner.list(readImport));
      else if (id === 7) sections.exports.push(...inner.list(readExport));
      else if (id === 10) sections.codeBytes += content.length;
      else if (id === 11) sections.dataBytes += content.length;
    }
  } catch (error) {
    if (error instanceof Malformed) return { ok: false, message: "is a WebAssembly module that ends too soon or is malformed" };
    throw error;
  }
  return { ok: true, sections };
}

function readImport(reader: Reader): ModuleImport {
  const [module, name, kind] = [reader.text(), reader.text(), reader.byte()];
  if (kind === 0) reader.number();
  else if (kind === 1) {
    reader.byte();
    reader.limits();
  } else if (kind === 2) reader.limits();
  else reader.bytes(2);
  return { module, name, kind: KINDS[kind] ?? "unknown" };
}

function readExport(reader: Reader): ModuleExport {
  const [name, kind] = [reader.text(), reader.byte()];
  reader.number();
  return { name, kind: KINDS[kind] ?? "unknown" };
}

class Reader {
  #at = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  byte(): number {
    const value = this.#bytes[this.#at++];
    if (value === undefined) throw new Malformed();
    return value;
  }

  /** Unsigned LEB128 of at most 64 bits. */
  number(): number {
    let value = 0;
    for (let shift = 0; shift < 64; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new Malformed();
  }

  bytes(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) throw new Malformed();
    return this.#bytes.subarray(this.#at, this.#at += length);
  }

  rest(): Uint8Array {
    return this.#bytes.subarray(this.#at);
  }

  text(): string {
    return Buffer.from(this.bytes(this.number())).toString("utf8");
  }

  limits(): void {
    const flags = this.byte();
    this.number();
    if ((flags & 1) !== 0) this.number();
  }

  list<T>(each: (reader: Reader) => T): T[] {
    const count = this.number();
    if (count > MOST_ENTRIES) throw new Malformed();
    return Array.from({ length: count }, () => each(this));
  }
}
