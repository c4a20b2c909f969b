// The smallest proxy-wasm modules (ABI 0.2.1), byte by byte: for tests of what handles modules, without a compiler.

/** What the module does when it is configured. */
export type TinyBehaviour = "accept" | "refuse" | "accept-if-configured" | "hang" | "trap";

/**
 * When the host function is called: while the module starts, or in proxy_on_configure, which logs the answer as one
 * character.
 */
export type CallAt = "start" | "configure";

const I32 = 0x7f;
const I64 = 0x7e;
const CALL = 0x10;
const ANSWER_AT = 1024;
/** The answer of a host function is logged as the character with this code plus the answer. */
export const ANSWER_BASE = 33;

/** Types that the modules' functions have, and proxy_log. */
const TYPES = {
  start: type([], []),
  allocate: type([I32], [I32]),
  create: type([I32, I32], []),
  configure: type([I32, I32], [I32]),
  log: type([I32, I32, I32], [I32]),
};

const BODIES: Readonly<Record<TinyBehaviour, readonly number[]>> = {
  accept: constant(1),
  refuse: constant(0),
  "accept-if-configured": [0x20, 1], // local.get 1: the configuration's size
  hang: [0x03, 0x40, 0x0c, 0, 0x0b, ...constant(1)], // loop br 0 end
  trap: [0x00], // unreachable
};

/**
 * Returns a module that has no imports and does nothing to requests. `tag` is in its bytes, so that equal behaviours
 * can differ.
 */
export function tinyModule(behaviour: TinyBehaviour, tag = ""): Uint8Array {
  return assemble({
    functions: [
      { name: "proxy_abi_version_0_2_1", type: TYPES.start, body: [] },
      { name: "malloc", type: TYPES.allocate, body: constant(1024) },
      { name: "proxy_on_context_create", type: TYPES.create, body: [] },
      { name: "proxy_on_vm_start", type: TYPES.configure, body: constant(1) },
      { name: "proxy_on_configure", type: TYPES.configure, body: BODIES[behaviour] },
    ],
    tag,
  });
}

/**
 * Returns a module that imports `module.field` with `signature` (as in test/host/signatures.ts) and calls it with 1 and
 * pointers to zeroed memory.
 */
export function callingModule(module: string, field: string, signature: string, at: CallAt): Uint8Array {
  const [parameters = "", results = ""] = signature.split(":");
  const answers = results !== "";
  const given = [...parameters].map((one) => (one === "I" ? I64 : I32));
  // Functions are counted from the imported ones on: 0 is the host function, 1 is proxy_log.
  const call = [...given.flatMap((one, i) => (one === I64 ? [0x42, 0] : constant(i === 0 ? 1 : 64))), CALL, 0];
  const store = [
    ...constant(ANSWER_AT),
    ...(answers ? call : [...call, ...constant(0)]),
    ...constant(ANSWER_BASE),
    ...[0x6a, 0x3a, 0, 0], // i32.add i32.store8
  ];
  const log = [...constant(4), ...constant(ANSWER_AT), ...constant(1), CALL, 1, 0x1a]; // drop
  return assemble({
    imports: [
      { module, field, type: type(given, answers ? [I32] : []) },
      { module: "env", field: "proxy_log", type: TYPES.log },
    ],
    functions: [
      { name: "proxy_abi_version_0_2_1", type: TYPES.start, body: [] },
      { name: "malloc", type: TYPES.allocate, body: constant(2048) },
      { name: "_initialize", type: TYPES.start, body: at === "start" ? [...call, ...(answers ? [0x1a] : [])] : [] },
      {
        name: "proxy_on_configure",
        type: TYPES.configure,
        body: [...(at === "configure" ? [...store, ...log] : []), ...constant(1)],
      },
    ],
  });
}

interface Parts {
  readonly imports?: readonly { readonly module: string; readonly field: string; readonly type: readonly number[] }[];
  readonly functions: readonly {
    readonly name: string;
    readonly type: readonly number[];
    readonly body: readonly number[];
  }[];
  /** The text of a section that nobody reads. */
  readonly tag?: string;
}

/** A module with a page of memory that exports its functions; every one of them has a type of its own. */
function assemble({ imports = [], functions, tag = "" }: Parts): Uint8Array {
  const types = [...imports, ...functions].map((one) => one.type);
  const exported = functions.map(({ name }, i) => [...text(name), 0, imports.length + i]);
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector(types)),
    ...section(2, vector(imports.map(({ module, field }, i) => [...text(module), ...text(field), 0, i]))),
    ...section(3, vector(functions.map((_one, i) => [imports.length + i]))),
    ...section(5, vector([[0, 1]])),
    ...section(7, vector([...exported, [...text("memory"), 2, 0]])),
    ...section(10, vector(functions.map(({ body }) => sized([0, ...body, 0x0b])))),
    ...section(0, [...text("tag"), ...Buffer.from(tag)]),
  ]);
}

function type(parameters: readonly number[], results: readonly number[]): number[] {
  return [0x60, ...sized(parameters), ...sized(results)];
}

/** Puts a number on the stack. */
function constant(value: number): number[] {
  return [0x41, ...signedLeb(value)];
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...sized(content)];
}

function vector(items: readonly (readonly number[])[]): number[] {
  return [...leb(items.length), ...items.flat()];
}

function sized(content: readonly number[]): number[] {
  return [...leb(content.length), ...content];
}

function text(value: string): number[] {
  return sized([...Buffer.from(value)]);
}

/** Unsigned LEB128. */
function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb(value >>> 7)];
}

/** LEB128 of a number that is not negative, where one with a sign is read. */
function signedLeb(value: number): number[] {
  return value < 0x40 ? [value] : [(value & 0x7f) | 0x80, ...signedLeb(value >>> 7)];
}
