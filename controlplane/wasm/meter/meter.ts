// Consumes: a plugin's module as it was fetched and verified.
// Produces: the same module with a budget: a callback that turns too often traps, and memory ends at a ceiling.
// Never does: change what a module does within its budget; let one through that it cannot read to the end.
import { ModuleFormatError, Reader, signed, unsigned, Writer } from "./binary.ts";
import { blockTypes, opcodes, passInstruction } from "./instructions.ts";

export interface MeterLimits {
  /** Turns of loops and calls of functions that one callback may take, what it calls included. */
  readonly turns: number;
  /** Pages of 64 KiB that the module's memory may grow to. */
  readonly memoryPages: number;
}

export type Metering =
  | { readonly kind: "metered"; readonly bytes: Uint8Array }
  | { readonly kind: "refused"; readonly reason: string };

/** Of a module, before its first section. */
export const WASM_HEADER_BYTES = 8;
/** Sections by their kind. */
export const section = { custom: 0, import: 2, function: 3, memory: 5, global: 6, export: 7, code: 10 } as const;
/** The order in which sections must stand; data count (12) comes before code, tags (13) before globals. */
const SECTION_ORDER = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11];
const kinds = { function: 0, table: 1, memory: 2, global: 3, tag: 4 } as const;
const I32 = 0x7f;
const I64 = 0x7e;

export interface Section {
  readonly id: number;
  readonly body: Uint8Array;
}

/** What is imported stands before what is defined in every index space. */
interface Imported {
  readonly functions: number;
  readonly functionTypes: readonly number[];
  readonly globals: number;
}

/** Indices of what is added. */
interface Added {
  readonly budget: number;
  readonly depth: number;
  readonly firstWrapper: number;
  readonly wrapped: readonly number[];
}

/**
 * Returns the module with its budget. The budget is renewed when the host calls a `proxy_on_…` export from outside the
 * module, not when the module's own host calls lead back into it. `digest`, if given, stands in a custom section: it
 * names what the module was made from. Refused: what is not a module, and instructions or imports that are not known.
 */
export function meterModule(module: Uint8Array, limits: MeterLimits, digest = ""): Metering {
  try {
    const bytes = meter(module, limits);
    return { kind: "metered", bytes: digest === "" ? bytes : withOrigin(bytes, digest) };
  } catch (error) {
    if (error instanceof ModuleFormatError) return { kind: "refused", reason: error.message };
    throw error;
  }
}

function meter(module: Uint8Array, limits: MeterLimits): Uint8Array {
  const sections = readSections(module);
  const bodyOf = (id: number): Uint8Array => sections.find((each) => each.id === id)?.body ?? Uint8Array.of(0);
  const imported = readImports(bodyOf(section.import));
  const functionTypes = readIndices(bodyOf(section.function));
  if (new Reader(bodyOf(section.code)).u32() !== functionTypes.length)
    throw new ModuleFormatError("it does not have one body for each function");
  const globals = imported.globals + new Reader(bodyOf(section.global)).u32();
  const wrapped = callbacksOf(bodyOf(section.export));
  const added: Added = {
    budget: globals,
    depth: globals + 1,
    firstWrapper: imported.functions + functionTypes.length,
    wrapped,
  };
  const typeOf = (index: number): number => {
    const type = index < imported.functions ? imported.functionTypes[index] : functionTypes[index - imported.functions];
    if (type === undefined) throw new ModuleFormatError(`it exports the function ${index}, which it does not have`);
    return type;
  };
  const parameters = readParameterCounts(bodyOf(1));
  const code = withBudget(
    bodyOf(section.code),
    added,
    wrapped.map((index, place) => wrapper(index, parameters[typeOf(index)] ?? 0, added, limits.turns, place)),
  );
  const rewritten = new Map<number, Uint8Array>([
    [
      section.function,
      withMore(
        bodyOf(section.function),
        wrapped.map((index) => unsigned(typeOf(index))),
      ),
    ],
    [section.memory, withCeiling(bodyOf(section.memory), limits.memoryPages)],
    [
      section.global,
      withMore(bodyOf(section.global), [
        [I64, 1, opcodes.i64Const, ...signed(limits.turns), opcodes.end],
        [I32, 1, opcodes.i32Const, 0, opcodes.end],
      ]),
    ],
    [section.export, withWrappers(bodyOf(section.export), added, code.refersToFunctions)],
    [section.code, code.bytes],
  ]);
  return writeSections(module.subarray(0, WASM_HEADER_BYTES), sections, rewritten);
}

/** The custom section in which a metered module names the digest of the one it was made from. */
export const ORIGIN_SECTION = "scrim.origin";

function withOrigin(module: Uint8Array, digest: string): Uint8Array {
  const text = new TextEncoder();
  const body = new Writer().addSized(text.encode(ORIGIN_SECTION)).add(text.encode(digest)).bytes;
  return new Writer().add(module).add([section.custom]).addSized(body).bytes;
}

/** Returns a module's sections in their order. Throws ModuleFormatError for what is not a module. */
export function readSections(module: Uint8Array): readonly Section[] {
  if (module.length < WASM_HEADER_BYTES || module.subarray(0, WASM_HEADER_BYTES).join() !== "0,97,115,109,1,0,0,0")
    throw new ModuleFormatError("it is not a WebAssembly module of version 1");
  const reader = new Reader(module, WASM_HEADER_BYTES);
  const sections: Section[] = [];
  while (!reader.isAtEnd) {
    const id = reader.byte();
    if (id !== section.custom && !SECTION_ORDER.includes(id))
      throw new ModuleFormatError(`it has a section of the unknown kind ${id}`);
    sections.push({ id, body: reader.take(reader.u32()) });
  }
  return sections;
}

/**
 * Sections in their order, the rewritten ones in place; a compiled form of the module that was kept beside it is no
 * longer true.
 */
function writeSections(
  header: Uint8Array,
  sections: readonly Section[],
  rewritten: ReadonlyMap<number, Uint8Array>,
): Uint8Array {
  const whole = new Writer().add(header);
  const known = new Map(sections.filter(({ id }) => id !== section.custom).map(({ id, body }) => [id, body]));
  for (const id of SECTION_ORDER) {
    const body = rewritten.get(id) ?? known.get(id);
    if (body !== undefined && (known.has(id) || body[0] !== 0)) whole.add([id]).addSized(body);
  }
  for (const { id, body } of sections)
    if (id === section.custom && !new Reader(body).name().startsWith("precompiled_")) whole.add([id]).addSized(body);
  return whole.bytes;
}

/**
 * Returns how many functions a module imports, and how many it has with those: the indices of its own come after.
 * Throws ModuleFormatError.
 */
export function countFunctions(sections: readonly Section[]): { readonly imported: number; readonly all: number } {
  const bodyOf = (id: number): Uint8Array => sections.find((each) => each.id === id)?.body ?? Uint8Array.of(0);
  const imported = readImports(bodyOf(section.import)).functions;
  return { imported, all: imported + new Reader(bodyOf(section.function)).u32() };
}

function readImports(body: Uint8Array): Imported {
  const reader = new Reader(body);
  const functionTypes: number[] = [];
  let globals = 0;
  for (let left = reader.u32(); left > 0; left--) {
    reader.name();
    reader.name();
    const kind = reader.byte();
    if (kind === kinds.function) functionTypes.push(reader.u32());
    else if (kind === kinds.global) {
      reader.skipValueType();
      reader.byte();
      globals++;
    } else
      throw new ModuleFormatError(
        "it imports something that is neither a function nor a global: no host of filters gives it",
      );
  }
  return { functions: functionTypes.length, functionTypes, globals };
}

function readIndices(body: Uint8Array): readonly number[] {
  const reader = new Reader(body);
  return Array.from({ length: reader.u32() }, () => reader.u32());
}

/** The number of parameters of each function type. */
function readParameterCounts(body: Uint8Array): readonly number[] {
  const reader = new Reader(body);
  return Array.from({ length: reader.u32() }, () => {
    if (reader.byte() !== 0x60) throw new ModuleFormatError("it has a type that is not a function's");
    const parameters = reader.u32();
    for (let left = parameters; left > 0; left--) reader.skipValueType();
    for (let left = reader.u32(); left > 0; left--) reader.skipValueType();
    return parameters;
  });
}

/**
 * The functions behind the exported callbacks, each once. Memory for what the host returns is asked for within a
 * callback.
 */
function callbacksOf(body: Uint8Array): readonly number[] {
  const callbacks = new Set<number>();
  for (const { name, kind, index } of readExports(body)) if (isCallback(name, kind)) callbacks.add(index);
  return [...callbacks];
}

function isCallback(name: string, kind: number): boolean {
  return (
    kind === kinds.function &&
    (name.startsWith("proxy_on_") || name === "_initialize" || name === "_start" || name === "main") &&
    name !== "proxy_on_memory_allocate"
  );
}

function readExports(
  body: Uint8Array,
): readonly { readonly name: string; readonly kind: number; readonly index: number }[] {
  const reader = new Reader(body);
  return Array.from({ length: reader.u32() }, () => ({
    name: reader.name(),
    kind: reader.byte(),
    index: reader.u32(),
  }));
}

/**
 * A function that code refers to must be declared somewhere, and its export may have been its only declaration: then it
 * keeps one.
 */
function withWrappers(body: Uint8Array, { firstWrapper, wrapped }: Added, keepsDeclarations: boolean): Uint8Array {
  const exports = readExports(body);
  const kept = keepsDeclarations ? wrapped : [];
  const written = new Writer().add(unsigned(exports.length + kept.length));
  for (const index of kept)
    written.addSized(new TextEncoder().encode(`scrim.callback.${index}`)).add([kinds.function, ...unsigned(index)]);
  for (const { name, kind, index } of exports) {
    const target = isCallback(name, kind) ? firstWrapper + wrapped.indexOf(index) : index;
    written.addSized(new TextEncoder().encode(name)).add([kind, ...unsigned(target)]);
  }
  return written.bytes;
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
      throw new ModuleFormatError("its memory is of a kind that is not known here (64 bits, or pages of its own size)");
    const minimum = reader.u32();
    const maximum = (flags & 1) === 1 ? Math.min(reader.u32(), pages) : pages;
    if (minimum > pages)
      throw new ModuleFormatError(
        `it asks for ${minimum} pages of memory at its start, the ceiling is ${pages} (${pages / 16} MiB)`,
      );
    written.add([flags | 1, ...unsigned(minimum), ...unsigned(maximum)]);
  }
  return written.bytes;
}

/** The bodies of all functions, each paying at its start and at each turn of a loop, and the wrappers behind them. */
function withBudget(
  body: Uint8Array,
  added: Added,
  wrappers: readonly Uint8Array[],
): { readonly bytes: Uint8Array; readonly refersToFunctions: boolean } {
  const reader = new Reader(body);
  const count = reader.u32();
  const toll = Uint8Array.from(tollOf(added));
  const written = new Writer().add(unsigned(count + wrappers.length));
  let refersToFunctions = false;
  for (let left = count; left > 0; left--) {
    const size = reader.u32();
    const start = reader.offset;
    reader.skip(size);
    written.addSized(
      withTolls(body, start, start + size, toll, (opcode) => (refersToFunctions ||= opcode === opcodes.refFunc)),
    );
  }
  for (const each of wrappers) written.addSized(each);
  return { bytes: written.bytes, refersToFunctions };
}

function withTolls(
  bytes: Uint8Array,
  start: number,
  end: number,
  toll: Uint8Array,
  seen: (opcode: number) => void,
): Uint8Array {
  const reader = new Reader(bytes, start, end);
  for (let groups = reader.u32(); groups > 0; groups--) {
    reader.u32();
    reader.skipValueType();
  }
  const written = new Writer().add(bytes.subarray(start, reader.offset)).add(toll);
  let copied = reader.offset;
  while (!reader.isAtEnd) {
    const opcode = passInstruction(reader);
    seen(opcode);
    if (opcode !== opcodes.loop) continue;
    written.add(bytes.subarray(copied, reader.offset)).add(toll);
    copied = reader.offset;
  }
  return written.add(bytes.subarray(copied, end)).bytes;
}

/** `budget -= 1; if (budget < 0) unreachable` */
function tollOf({ budget }: Added): readonly number[] {
  const global = unsigned(budget);
  return [
    opcodes.globalGet,
    ...global,
    opcodes.i64Const,
    1,
    opcodes.i64Sub,
    opcodes.globalSet,
    ...global,
    opcodes.globalGet,
    ...global,
    opcodes.i64Const,
    0,
    opcodes.i64LtS,
    opcodes.if,
    blockTypes.none,
    opcodes.unreachable,
    opcodes.end,
  ];
}

/** `if (depth == 0) budget = turns; depth += 1; result = callback(…); depth -= 1` */
function wrapper(
  callback: number,
  parameters: number,
  { budget, depth }: Added,
  turns: number,
  place: number,
): Uint8Array {
  if (place > 10_000 || parameters > 1_000)
    throw new ModuleFormatError("it has more callbacks or parameters than any host calls");
  const count = unsigned(depth);
  const change = (operation: number): number[] => [
    opcodes.globalGet,
    ...count,
    opcodes.i32Const,
    1,
    operation,
    opcodes.globalSet,
    ...count,
  ];
  const pass = Array.from({ length: parameters }, (_, index) => [opcodes.localGet, ...unsigned(index)]).flat();
  return Uint8Array.from([
    0, // no locals of its own
    opcodes.globalGet,
    ...count,
    opcodes.i32Eqz,
    opcodes.if,
    blockTypes.none,
    opcodes.i64Const,
    ...signed(turns),
    opcodes.globalSet,
    ...unsigned(budget),
    opcodes.end,
    ...change(opcodes.i32Add),
    ...pass,
    opcodes.call,
    ...unsigned(callback),
    ...change(opcodes.i32Sub),
    opcodes.end,
  ]);
}
