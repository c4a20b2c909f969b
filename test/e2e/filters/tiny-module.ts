// The smallest modules that call one host function: assembled by hand, so that hundreds cost nothing.

/**
 * When the function is called: while the module starts, or in proxy_on_configure, which logs the answer as one
 * character.
 */
export type CallAt = "start" | "configure";

const I32 = 0x7f;
const I64 = 0x7e;
const CODES: Readonly<Record<string, number>> = { i: I32, I: I64 };

function leb(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...leb(value >> 7)];
}
/** A signed constant's bytes. */
function constant(value: number): number[] {
  return value < 64 ? [value] : [(value & 127) | 128, ...constant(value >> 7)];
}
const name = (text: string): number[] => [...leb(text.length), ...Buffer.from(text)];
const list = (items: readonly (readonly number[])[]): number[] => [...leb(items.length), ...items.flat()];
const section = (id: number, content: readonly number[]): number[] => [id, ...leb(content.length), ...content];
const type = (parameters: readonly number[], results: readonly number[]): number[] => [
  0x60,
  ...leb(parameters.length),
  ...parameters,
  ...leb(results.length),
  ...results,
];
const body = (code: readonly number[]): number[] => [...leb(code.length + 2), 0, ...code, 0x0b];
const i32 = (value: number): number[] => [0x41, ...constant(value)];

const ANSWER_AT = 1024;
/** The answer is logged as the character with this code plus the answer. */
export const ANSWER_BASE = 33;

/**
 * A module that imports `module.field` with `signature` (as in test/host/signatures.ts) and calls it with 1 and
 * pointers to zeroed memory.
 */
export function tinyModule(module: string, field: string, signature: string, at: CallAt): Uint8Array {
  const [parameters = "", results = ""] = signature.split(":");
  const types = [
    type(
      [...parameters].map((one) => CODES[one] ?? I32),
      results === "" ? [] : [I32],
    ),
    type([I32, I32, I32], [I32]),
    type([], []),
    type([I32], [I32]),
    type([I32, I32], [I32]),
  ];
  const call = [...[...parameters].flatMap((one, i) => (one === "I" ? [0x42, 0] : i32(i === 0 ? 1 : 64))), 0x10, 0];
  const store = [
    ...i32(ANSWER_AT),
    ...(results === "" ? [...call, ...i32(0)] : call),
    ...i32(ANSWER_BASE),
    0x6a,
    0x3a,
    0,
    0,
  ];
  const log = [...i32(4), ...i32(ANSWER_AT), ...i32(1), 0x10, 1, 0x1a];
  const start = at === "start" ? [...call, ...(results === "" ? [] : [0x1a])] : [];
  const configure = at === "configure" ? [...store, ...log] : [];
  return Uint8Array.from([
    0,
    0x61,
    0x73,
    0x6d,
    1,
    0,
    0,
    0,
    ...section(1, list(types)),
    ...section(
      2,
      list([
        [...name(module), ...name(field), 0, 0],
        [...name("env"), ...name("proxy_log"), 0, 1],
      ]),
    ),
    ...section(3, list([[2], [3], [2], [4]])),
    ...section(5, list([[0, 1]])),
    ...section(
      7,
      list([
        [...name("memory"), 2, 0],
        ...["proxy_abi_version_0_2_1", "malloc", "_initialize", "proxy_on_configure"].map((exported, i) => [
          ...name(exported),
          0,
          i + 2,
        ]),
      ]),
    ),
    ...section(10, list([body([]), body(i32(2048)), body(start), body([...configure, ...i32(1)])])),
  ]);
}
