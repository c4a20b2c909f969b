// The sections of a module, and what its imports and exports say. Every function throws ModuleFormatError.
// Form: https://webassembly.github.io/spec/core/binary/modules.html
import { malformed, Reader } from "./binary.ts";

/** A section by its kind, as its bytes are without id and size. */
export interface Section {
  readonly id: number;
  readonly body: Uint8Array;
}

export interface ModuleImport {
  readonly module: string;
  readonly name: string;
  readonly kind: EntryKind;
  /** Of functions: the index of its type. */
  readonly type?: number | undefined;
}

export interface ModuleExport {
  readonly name: string;
  readonly kind: EntryKind;
  /** In the index space of its kind. */
  readonly index: number;
}

/** Of what is imported or exported, in the order of their numbers. */
export const entryKinds = ["function", "table", "memory", "global", "tag"] as const;
export type EntryKind = (typeof entryKinds)[number];

/** Kinds of sections. */
export const sectionIds = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  memory: 5,
  global: 6,
  export: 7,
  code: 10,
  data: 11,
} as const;

/** What every module begins with: `\0asm` and the version 1. */
export const MODULE_HEADER = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
const MOST_ENTRIES = 100_000;

/** Returns whether bytes begin as a module does. */
export function hasModuleHeader(bytes: Uint8Array): boolean {
  return MODULE_HEADER.every((byte, index) => bytes[index] === byte);
}

/** Returns a module's sections in their order, of kinds that are known here or not. */
export function readSections(module: Uint8Array): readonly Section[] {
  if (!hasModuleHeader(module)) throw malformed("it is not a WebAssembly module of version 1");
  const reader = new Reader(module, MODULE_HEADER.length);
  const sections: Section[] = [];
  while (!reader.isAtEnd) sections.push({ id: reader.byte(), body: reader.take(reader.u32()) });
  return sections;
}

/** Returns the bytes of the first section of a kind; those of an empty list where there is none. */
export function bodyOf(sections: readonly Section[], id: number): Uint8Array {
  return sections.find((each) => each.id === id)?.body ?? Uint8Array.of(0);
}

/** Returns the entries of an import section. */
export function readImports(body: Uint8Array): readonly ModuleImport[] {
  return readList(new Reader(body), (reader) => {
    const [module, name, kind] = [reader.name(), reader.name(), kindIn(reader)];
    return { module, name, kind, type: readImportedType(reader, kind) };
  });
}

/** Returns the entries of an export section. */
export function readExports(body: Uint8Array): readonly ModuleExport[] {
  return readList(new Reader(body), (reader) => ({
    name: reader.name(),
    kind: kindIn(reader),
    index: reader.u32(),
  }));
}

function readList<T>(reader: Reader, each: (reader: Reader) => T): readonly T[] {
  const count = reader.u32();
  if (count > MOST_ENTRIES) throw malformed(`it has more than ${MOST_ENTRIES} imports or exports`);
  return Array.from({ length: count }, () => each(reader));
}

function kindIn(reader: Reader): EntryKind {
  const number = reader.byte();
  const kind = entryKinds[number];
  if (kind === undefined) throw malformed(`it imports or exports something of the unknown kind ${number}`);
  return kind;
}

/** Passes what is said of an import after its kind; returns the type's index of a function. */
function readImportedType(reader: Reader, kind: EntryKind): number | undefined {
  switch (kind) {
    case "function":
      return reader.u32();
    case "table":
      reader.skipValueType();
      return void skipLimits(reader);
    case "memory":
      return void skipLimits(reader);
    case "global":
      reader.skipValueType();
      return void reader.byte();
    case "tag":
      return void reader.skip(2);
  }
}

/** Of memories that are addressed by 64 bits, too. */
function skipLimits(reader: Reader): void {
  const flags = reader.byte();
  reader.skipNumber(64);
  if ((flags & 1) !== 0) reader.skipNumber(64);
}
