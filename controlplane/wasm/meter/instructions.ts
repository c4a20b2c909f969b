// Where an instruction ends: https://webassembly.github.io/spec/core/binary/instructions.html (3.0, without garbage
// collection).
import { malformed, type Reader } from "../module/binary.ts";

export const opcodes = {
  unreachable: 0x00,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  end: 0x0b,
  return: 0x0f,
  call: 0x10,
  localGet: 0x20,
  globalGet: 0x23,
  globalSet: 0x24,
  refFunc: 0xd2,
  i32Const: 0x41,
  i64Const: 0x42,
  i32Eqz: 0x45,
  i64LtS: 0x53,
  i32Add: 0x6a,
  i32Sub: 0x6b,
  i64Sub: 0x7d,
} as const;

const NO_RESULT = 0x40;
/** Block types as bytes. */
export const blockTypes = { none: NO_RESULT } as const;

type Immediates = (reader: Reader) => void;

const none: Immediates = () => undefined;
const index: Immediates = (reader) => void reader.u32();
const two: Immediates = (reader) => {
  reader.u32();
  reader.u32();
};
/** A result type in one byte, or the index of a function type as a signed number of 33 bits. */
const blockType: Immediates = (reader) => {
  if (reader.next === 0x63 || reader.next === 0x64) reader.skipValueType();
  else reader.skipNumber(33);
};
/** Alignment, an index of a memory if bit 6 of it says so, and an offset. */
const memory: Immediates = (reader) => {
  const alignment = reader.u32();
  if ((alignment & 0x40) !== 0) reader.u32();
  reader.skipNumber(64);
};
const list =
  (each: Immediates): Immediates =>
  (reader) => {
    for (let left = reader.u32(); left > 0; left--) each(reader);
  };
const branchTable: Immediates = (reader) => {
  list(index)(reader);
  reader.u32();
};
const catchClause: Immediates = (reader) => {
  // catch and catch_ref name a tag; catch_all and catch_all_ref do not.
  const kind = reader.byte();
  if (kind > 3) throw malformed(`a catch clause is of the unknown kind ${kind}`);
  if (kind < 2) reader.u32();
  reader.u32();
};

const plain = new Map<number, Immediates>([
  [0x00, none],
  [0x01, none],
  [0x02, blockType],
  [0x03, blockType],
  [0x04, blockType],
  [0x05, none],
  [0x06, blockType],
  [0x07, index],
  [0x08, index],
  [0x09, index],
  [0x0a, none],
  [0x0b, none],
  [0x0c, index],
  [0x0d, index],
  [0x0e, branchTable],
  [0x0f, none],
  [0x10, index],
  [0x11, two],
  [0x12, index],
  [0x13, two],
  [0x18, index],
  [0x19, none],
  [0x1a, none],
  [0x1b, none],
  [0x1c, list((reader) => reader.skipValueType())],
  [
    0x1f,
    (reader) => {
      blockType(reader);
      list(catchClause)(reader);
    },
  ],
  [0x20, index],
  [0x21, index],
  [0x22, index],
  [0x23, index],
  [0x24, index],
  [0x25, index],
  [0x26, index],
  [0x3f, index],
  [0x40, index],
  [0x41, (reader) => reader.skipNumber(32)],
  [0x42, (reader) => reader.skipNumber(64)],
  [0x43, (reader) => reader.skip(4)],
  [0x44, (reader) => reader.skip(8)],
  [0xd0, (reader) => reader.skipNumber(33)],
  [0xd1, none],
  [0xd2, index],
]);
for (let opcode = 0x28; opcode <= 0x3e; opcode++) plain.set(opcode, memory);
for (let opcode = 0x45; opcode <= 0xc4; opcode++) plain.set(opcode, none);

/**
 * Passes one instruction with its immediates; returns its opcode (its first byte). Throws ModuleFormatError for an
 * unknown one.
 */
export function passInstruction(reader: Reader): number {
  const opcode = reader.byte();
  const immediates = plain.get(opcode) ?? prefixed[opcode]?.(reader.u32());
  if (immediates === undefined)
    throw malformed(`it uses an instruction that is not known here (0x${opcode.toString(16)})`);
  immediates(reader);
  return opcode;
}

/** Instructions of two numbers, by their first. */
const prefixed: Readonly<Record<number, (second: number) => Immediates | undefined>> = {
  252: bulkInstruction,
  253: vectorInstruction,
  254: atomicInstruction,
};

function bulkInstruction(second: number): Immediates | undefined {
  if (second <= 7) return none;
  // memory.init, memory.copy, table.init, table.copy; data.drop, memory.fill, elem.drop, table.grow, .size, .fill
  if ([8, 10, 12, 14].includes(second)) return two;
  return second <= 17 ? index : undefined;
}

function vectorInstruction(second: number): Immediates | undefined {
  if (second <= 11 || second === 92 || second === 93) return memory;
  if (second === 12 || second === 13) return (reader) => reader.skip(16);
  if (second >= 21 && second <= 34) return (reader) => reader.skip(1);
  if (second >= 84 && second <= 91) {
    return (reader) => {
      memory(reader);
      reader.skip(1);
    };
  }
  // Relaxed instructions end at 275.
  return second <= 275 ? none : undefined;
}

function atomicInstruction(second: number): Immediates | undefined {
  if (second === 3) return (reader) => reader.skip(1);
  return second <= 2 || (second >= 0x10 && second <= 0x4e) ? memory : undefined;
}
