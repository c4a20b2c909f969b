// What a module says of itself without being run: imports, exports, custom sections. Reads bytes of strangers: bounded,
// never throws.
// Form: https://webassembly.github.io/spec/core/binary/modules.html
import { ModuleFormatError, Reader } from "../meter/binary.ts";

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

export type SectionsResult =
  | { readonly ok: true; readonly sections: ModuleSections }
  | { readonly ok: false; readonly message: string };

const KINDS = ["function", "table", "memory", "global", "tag"] as const;
const HEADER = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const MOST_ENTRIES = 100_000;

/** Returns the sections of a module; a failure says in a few words what is wrong. */
export function readSections(bytes: Uint8Array): SectionsResult {
  if (!HEADER.every((byte, index) => bytes[index] === byte)) return { ok: false, message: "is no WebAssembly module" };
  const sections = {
    imports: [] as ModuleImport[],
    exports: [] as ModuleExport[],
    custom: [] as { name: string; bytes: Uint8Array }[],
    codeBytes: 0,
    dataBytes: 0,
  };
  try {
    const reader = new Reader(bytes, HEADER.length);
    while (!reader.isAtEnd) {
      const id = reader.byte();
      const content = reader.take(reader.u32());
      const inner = new Reader(content);
      if (id === 0) sections.custom.push({ name: inner.name(), bytes: content.subarray(inner.offset) });
      else if (id === 2) sections.imports.push(...readList(inner, readImport));
      else if (id === 7) sections.exports.push(...readList(inner, readExport));
      else if (id === 10) sections.codeBytes += content.length;
      else if (id === 11) sections.dataBytes += content.length;
    }
  } catch (error) {
    if (error instanceof ModuleFormatError)
      return { ok: false, message: "is a WebAssembly module that ends too soon or is malformed" };
    throw error;
  }
  return { ok: true, sections };
}

function readList<T>(reader: Reader, each: (reader: Reader) => T): readonly T[] {
  const count = reader.u32();
  if (count > MOST_ENTRIES) throw new ModuleFormatError(`it has more than ${MOST_ENTRIES} imports or exports`);
  return Array.from({ length: count }, () => each(reader));
}

function readImport(reader: Reader): ModuleImport {
  const [module, name, kind] = [reader.name(), reader.name(), reader.byte()];
  if (kind === 0) reader.u32();
  else if (kind === 1) {
    reader.skipValueType();
    skipLimits(reader);
  } else if (kind === 2) skipLimits(reader);
  else if (kind === 3) {
    reader.skipValueType();
    reader.byte();
  } else reader.skip(2);
  return { module, name, kind: KINDS[kind] ?? "unknown" };
}

function readExport(reader: Reader): ModuleExport {
  const [name, kind] = [reader.name(), reader.byte()];
  reader.u32();
  return { name, kind: KINDS[kind] ?? "unknown" };
}

/** Of memories that are addressed by 64 bits, too. */
function skipLimits(reader: Reader): void {
  const flags = reader.byte();
  reader.skipNumber(64);
  if ((flags & 1) !== 0) reader.skipNumber(64);
}
