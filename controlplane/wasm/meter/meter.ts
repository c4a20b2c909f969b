// Consumes: a plugin's module as it was fetched and verified.
// Produces: the same module with a budget: a callback that turns too often traps, and memory ends at a ceiling.
// Never does: change what a module does within its budget; let one through that it cannot read to the end.
//
// By hand: a rewriter such as Binaryen makes trees of all functions and writes other code; here every byte stays, and
// tolls are put between.
import { type Failure, failed } from "../../model/failure.ts";
import { isMalformed, malformed, Reader, signed, unsigned, Writer } from "../module/binary.ts";
import {
  bodyOf,
  entryKinds,
  MODULE_HEADER,
  type ModuleExport,
  readExports,
  readSections,
  type Section,
  sectionIds,
} from "../module/sections.ts";
import { functionsOf, readParameterCounts } from "./functions.ts";
import { opcodes } from "./instructions.ts";
import { type Added, codeWithTolls, wrapper } from "./tolls.ts";

export interface MeterLimits {
  /** Turns of loops and calls of functions that one callback may take, what it calls included. */
  readonly turns: number;
  /** Pages of 64 KiB that the module's memory may grow to. */
  readonly memoryPages: number;
}

export type Metering = { readonly kind: "metered"; readonly bytes: Uint8Array } | Failure<"malformed-module">;

/** The order in which sections must stand; data count (12) comes before code, tags (13) before globals. */
const SECTION_ORDER = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11];
const I32 = 0x7f;
const I64 = 0x7e;

/**
 * Returns the module with its budget. The budget is renewed when the host calls a `proxy_on_…` export from outside the
 * module, not when the module's own host calls lead back into it. `digest`, if given, stands in a custom section: it
 * names what the module was made from. It fails for what is no module, and for instructions or imports that are not
 * known.
 */
export function meterModule(module: Uint8Array, limits: MeterLimits, digest = ""): Metering {
  try {
    const bytes = meter(module, limits);
    return { kind: "metered", bytes: digest === "" ? bytes : withOrigin(bytes, digest) };
  } catch (error) {
    if (isMalformed(error)) return failed(error.code, error.message);
    throw error;
  }
}

function meter(module: Uint8Array, limits: MeterLimits): Uint8Array {
  const sections = readSections(module);
  requireKnown(sections);
  const body = (id: number): Uint8Array => bodyOf(sections, id);
  const { imported, all, globals, typeOf } = functionsOf(sections);
  if (new Reader(body(sectionIds.code)).u32() !== all - imported)
    throw malformed("it does not have one body for each function");
  const exports = readExports(body(sectionIds.export));
  const wrapped = callbacksOf(exports);
  const added: Added = { budget: globals, depth: globals + 1, firstWrapper: all, wrapped };
  const parameters = readParameterCounts(body(sectionIds.type));
  const code = codeWithTolls(
    body(sectionIds.code),
    added,
    wrapped.map((index, place) => wrapper(index, parameters[typeOf(index)] ?? 0, added, limits.turns, place)),
  );
  const types = wrapped.map((index) => unsigned(typeOf(index)));
  const rewritten = new Map<number, Uint8Array>([
    [sectionIds.function, withMore(body(sectionIds.function), types)],
    [sectionIds.memory, withCeiling(body(sectionIds.memory), limits.memoryPages)],
    [sectionIds.global, withMore(body(sectionIds.global), addedGlobals(limits.turns))],
    [sectionIds.export, withWrappers(exports, added, code.refersToFunctions)],
    [sectionIds.code, code.bytes],
  ]);
  return writeSections(sections, rewritten);
}

/** What is of an unknown kind may stand anywhere and mean anything. */
function requireKnown(sections: readonly Section[]): void {
  const unknown = sections.find(({ id }) => id !== sectionIds.custom && !SECTION_ORDER.includes(id));
  if (unknown !== undefined) throw malformed(`it has a section of the unknown kind ${unknown.id}`);
}

/** The budget that is left, and how deep in callbacks the module is. */
function addedGlobals(turns: number): readonly (readonly number[])[] {
  return [
    [I64, 1, opcodes.i64Const, ...signed(turns), opcodes.end],
    [I32, 1, opcodes.i32Const, 0, opcodes.end],
  ];
}

/** The custom section in which a metered module names the digest of the one it was made from. */
export const ORIGIN_SECTION = "scrim.origin";

function withOrigin(module: Uint8Array, digest: string): Uint8Array {
  const text = new TextEncoder();
  const body = new Writer().addSized(text.encode(ORIGIN_SECTION)).add(text.encode(digest)).bytes;
  return new Writer().add(module).add([sectionIds.custom]).addSized(body).bytes;
}

/**
 * Sections in their order, the rewritten ones in place; a compiled form of the module that was kept beside it is no
 * longer true.
 */
function writeSections(sections: readonly Section[], rewritten: ReadonlyMap<number, Uint8Array>): Uint8Array {
  const whole = new Writer().add(MODULE_HEADER);
  const known = new Map(sections.filter(({ id }) => id !== sectionIds.custom).map(({ id, body }) => [id, body]));
  for (const id of SECTION_ORDER) {
    const body = rewritten.get(id) ?? known.get(id);
    if (body !== undefined && (known.has(id) || body[0] !== 0)) whole.add([id]).addSized(body);
  }
  for (const { id, body } of sections)
    if (id === sectionIds.custom && !new Reader(body).name().startsWith("precompiled_")) whole.add([id]).addSized(body);
  return whole.bytes;
}

/**
 * The functions behind the exported callbacks, each once. Memory for what the host returns is asked for within a
 * callback.
 */
function callbacksOf(exports: readonly ModuleExport[]): readonly number[] {
  return [...new Set(exports.filter(isCallback).map(({ index }) => index))];
}

function isCallback({ name, kind }: ModuleExport): boolean {
  return (
    kind === "function" &&
    (name.startsWith("proxy_on_") || name === "_initialize" || name === "_start" || name === "main") &&
    name !== "proxy_on_memory_allocate"
  );
}

/**
 * A function that code refers to must be declared somewhere, and its export may have been its only declaration: then it
 * keeps one.
 */
function withWrappers(
  exports: readonly ModuleExport[],
  { firstWrapper, wrapped }: Added,
  keepsDeclarations: boolean,
): Uint8Array {
  const kept = keepsDeclarations ? wrapped : [];
  const written = new Writer().add(unsigned(exports.length + kept.length));
  for (const index of kept) writeExport(written, { name: `scrim.callback.${index}`, kind: "function", index });
  for (const each of exports) {
    const index = isCallback(each) ? firstWrapper + wrapped.indexOf(each.index) : each.index;
    writeExport(written, { ...each, index });
  }
  return written.bytes;
}

function writeExport(written: Writer, { name, kind, index }: ModuleExport): void {
  written.addSized(new TextEncoder().encode(name)).add([entryKinds.indexOf(kind), ...unsigned(index)]);
}

/** A vector with more entries at its end. */
function withMore(body: Uint8Array, more: readonly (readonly number[])[]): Uint8Array {
  const reader = new Reader(body);
  const written = new Writer().add(unsigned(reader.u32() + more.length)).add(body.subarray(reader.offset));
  for (const entry of more) written.add(entry);
  return written.bytes;
}

/** The memories with the ceiling as their maximum, or their own where that is lower. */
function withCeiling(body: Uint8Array, pages: number): Uint8Array {
  const reader = new Reader(body);
  const count = reader.u32();
  const written = new Writer().add(unsigned(count));
  for (let left = count; left > 0; left--) {
    const flags = reader.byte();
    if (flags > 3)
      throw malformed("its memory is of a kind that is not known here (64 bits, or pages of its own size)");
    const minimum = reader.u32();
    const maximum = (flags & 1) === 1 ? Math.min(reader.u32(), pages) : pages;
    if (minimum > pages)
      throw malformed(
        `it asks for ${minimum} pages of memory at its start, the ceiling is ${pages} (${pages / 16} MiB)`,
      );
    written.add([flags | 1, ...unsigned(minimum), ...unsigned(maximum)]);
  }
  return written.bytes;
}
