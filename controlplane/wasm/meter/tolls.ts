// What is put into a module's code: the toll that each function and each turn of a loop pays, and the wrappers of
// callbacks that renew the budget. Throws ModuleFormatError.
import { malformed, Reader, signed, unsigned, Writer } from "../module/binary.ts";
import { blockTypes, opcodes, passInstruction } from "./instructions.ts";

/** Indices of what is added. */
export interface Added {
  readonly budget: number;
  readonly depth: number;
  readonly firstWrapper: number;
  /** Of the callbacks, in the order of their wrappers. */
  readonly wrapped: readonly number[];
}

/** Returns all functions, each paying at its start and at each turn of a loop, and the wrappers behind them. */
export function codeWithTolls(
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

/** Returns a callback's wrapper: `if (depth == 0) budget = turns; depth += 1; result = callback(…); depth -= 1` */
export function wrapper(
  callback: number,
  parameters: number,
  { budget, depth }: Added,
  turns: number,
  place: number,
): Uint8Array {
  if (place > 10_000 || parameters > 1_000) throw malformed("it has more callbacks or parameters than any host calls");
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
