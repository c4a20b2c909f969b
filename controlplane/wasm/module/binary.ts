// Reading and writing WebAssembly's binary format: https://webassembly.github.io/spec/core/binary/index.html

import { ScrimError } from "../../model/failure.ts";

/** What is thrown of a module that is not well-formed, or uses something this control plane does not know. */
export type ModuleFormatError = ScrimError<"malformed-module">;

/** Returns the error; `message` goes on after "the module is refused: ". */
export function malformed(message: string): ModuleFormatError {
  return new ScrimError("malformed-module", message);
}

/** Whether a thrown thing says that a module is not well-formed. */
export function isMalformed(error: unknown): error is ModuleFormatError {
  return error instanceof ScrimError && error.code === "malformed-module";
}

/** A position in bytes, which only moves forward. Every method throws ModuleFormatError at the end of the bytes. */
export class Reader {
  private at: number;
  private readonly end: number;

  constructor(
    readonly bytes: Uint8Array,
    start = 0,
    end = bytes.length,
  ) {
    this.at = start;
    this.end = end;
  }

  get offset(): number {
    return this.at;
  }

  get isAtEnd(): boolean {
    return this.at >= this.end;
  }

  /** The byte that comes next; undefined at the end. */
  get next(): number | undefined {
    return this.at < this.end ? this.bytes[this.at] : undefined;
  }

  byte(): number {
    const value = this.at < this.end ? this.bytes[this.at] : undefined;
    if (value === undefined) throw malformed("it ends in the middle of something");
    this.at++;
    return value;
  }

  skip(count: number): void {
    if (count > this.end - this.at) throw malformed("it ends in the middle of something");
    this.at += count;
  }

  /** An unsigned number of at most 32 bits. */
  u32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if ((byte & 0x80) === 0) {
        if (value > 0xffff_ffff) break;
        return value;
      }
    }
    throw malformed("a number is larger than 32 bits");
  }

  /** Passes a LEB128 number of any sign, of at most `bits` bits. */
  skipNumber(bits: number): void {
    for (let read = 0; read < bits; read += 7) if ((this.byte() & 0x80) === 0) return;
    throw malformed(`a number is larger than ${bits} bits`);
  }

  /** Passes a value type, references to a heap type included. */
  skipValueType(): void {
    const type = this.byte();
    if (type === 0x63 || type === 0x64) this.skipNumber(33);
  }

  take(count: number): Uint8Array {
    const start = this.at;
    this.skip(count);
    return this.bytes.subarray(start, this.at);
  }

  name(): string {
    return new TextDecoder().decode(this.take(this.u32()));
  }
}

/** LEB128 of an unsigned number. */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const byte = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? byte | 0x80 : byte);
  } while (rest > 0);
  return bytes;
}

/** LEB128 of a signed number that is not negative. */
export function signed(value: number): number[] {
  const bytes = unsigned(value);
  // The sign is the second highest bit of the last byte: a further byte keeps a positive number positive.
  const last = bytes[bytes.length - 1] ?? 0;
  if ((last & 0x40) === 0) return bytes;
  bytes[bytes.length - 1] = last | 0x80;
  return [...bytes, 0];
}

/** A growing sequence of bytes. */
export class Writer {
  private parts: Uint8Array[] = [];
  private size = 0;

  add(bytes: Uint8Array | readonly number[]): this {
    const part = bytes instanceof Uint8Array ? bytes : Uint8Array.from(bytes);
    this.parts.push(part);
    this.size += part.length;
    return this;
  }

  /** Bytes after their count. */
  addSized(bytes: Uint8Array): this {
    return this.add(unsigned(bytes.length)).add(bytes);
  }

  get bytes(): Uint8Array {
    const whole = new Uint8Array(this.size);
    let at = 0;
    for (const part of this.parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }
}
