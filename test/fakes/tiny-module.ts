// The smallest proxy-wasm modules, byte by byte: for tests of what handles modules, without a compiler.

/** What the module does when it is configured. */
export type TinyBehaviour = "accept" | "refuse" | "accept-if-configured" | "hang" | "trap";

const i32 = 0x7f;
const bodies: Readonly<Record<TinyBehaviour, readonly number[]>> = {
  accept: [0x41, 1], // i32.const 1
  refuse: [0x41, 0], // i32.const 0
  "accept-if-configured": [0x20, 1], // local.get 1: the configuration's size
  hang: [0x03, 0x40, 0x0c, 0, 0x0b, 0x41, 1], // loop br 0 end
  trap: [0x00], // unreachable
};

/**
 * Returns a module of ABI 0.2.1 that has no imports and does nothing to requests. `tag` is in its bytes, so that equal
 * behaviours can differ.
 */
export function tinyModule(behaviour: TinyBehaviour, tag = ""): Uint8Array {
  const functions: readonly { name: string; type: number; body: readonly number[] }[] = [
    { name: "proxy_abi_version_0_2_1", type: 0, body: [] },
    { name: "malloc", type: 1, body: [0x41, 0x80, 0x08] }, // always at 1024
    { name: "proxy_on_context_create", type: 2, body: [] },
    { name: "proxy_on_vm_start", type: 3, body: bodies.accept },
    { name: "proxy_on_configure", type: 3, body: bodies[behaviour] },
  ];
  const types = [
    [0x60, 0, 0],
    [0x60, 1, i32, 1, i32],
    [0x60, 2, i32, i32, 0],
    [0x60, 2, i32, i32, 1, i32],
  ];
  const exported = [...functions.map(({ name }, index) => [...text(name), 0, index]), [...text("memory"), 2, 0]];
  return new Uint8Array([
    0x00,
    0x61,
    0x73,
    0x6d,
    1,
    0,
    0,
    0,
    ...section(1, vector(types)),
    ...section(3, vector(functions.map(({ type }) => [type]))),
    ...section(5, vector([[0, 1]])), // one page of memory
    ...section(7, vector(exported)),
    ...section(10, vector(functions.map(({ body }) => sized([0, ...body, 0x0b])))),
    ...section(0, [...text("tag"), ...Buffer.from(tag)]),
  ]);
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
