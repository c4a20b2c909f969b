import { Bytes, EMPTY } from "./bytes";
import { BytesWriter } from "./bytes-writer";

// As much of protobuf as Envoy's foreign functions need: messages with fields of bytes and small numbers.

// @ts-ignore: decorator
@lazy
const MESSAGE: BytesWriter = new BytesWriter(512);

/** An empty message to put fields into; there is one at a time. For the SDK's own use. */
export function beginMessage(): BytesWriter {
  return MESSAGE.clear();
}

function putVarint(message: BytesWriter, value: u32): void {
  while (value > 127) {
    message.byte(<u8>(value | 128));
    value >>= 7;
  }
  message.byte(<u8>value);
}

/** Appends a field of bytes or text; nothing if it is empty. For the SDK's own use. */
export function putBytesField(message: BytesWriter, field: u32, value: Bytes): void {
  if (value.length == 0) return;
  putVarint(message, (field << 3) | 2);
  putVarint(message, value.length);
  message.bytes(value);
}

/** Appends a number, an enum's value or a boolean; nothing if it is 0. For the SDK's own use. */
export function putNumberField(message: BytesWriter, field: u32, value: u32): void {
  if (value == 0) return;
  putVarint(message, field << 3);
  putVarint(message, value);
}

let at: i32 = 0;

/** The number at `at`, which moves behind it. Bytes behind the end read as 0. */
function takeVarint(message: Bytes): u64 {
  let value: u64 = 0;
  for (let shift = 0; shift < 64; shift += 7) {
    const byte = message.at(at++);
    value |= (<u64>(byte & 127)) << shift;
    if (byte < 128) break;
  }
  return value;
}

/** How many bytes the value of this wire type takes from `at` on, -1 for one that is not known. */
function valueLength(message: Bytes, wire: u32): i64 {
  if (wire == 1) return 8;
  if (wire == 5) return 4;
  return wire == 2 ? <i64>min<u64>(takeVarint(message), 0x7fffffff) : -1;
}

/** The bytes of the first such field, EMPTY if there is none or the message is broken. For the SDK's own use. */
export function bytesField(message: Bytes, field: u32): Bytes {
  at = 0;
  while (at < message.length) {
    const tag = <u32>takeVarint(message);
    if ((tag & 7) == 0) {
      takeVarint(message);
      continue;
    }
    const length = valueLength(message, tag & 7);
    if (length < 0 || length > message.length - at) return EMPTY;
    if (tag >> 3 == field && (tag & 7) == 2) return message.slice(at, at + <i32>length);
    at += <i32>length;
  }
  return EMPTY;
}

/** The first such number, 0 if there is none or the message is broken. For the SDK's own use. */
export function numberField(message: Bytes, field: u32): u64 {
  at = 0;
  while (at < message.length) {
    const tag = <u32>takeVarint(message);
    if ((tag & 7) == 0) {
      const value = takeVarint(message);
      if (tag >> 3 == field) return value;
      continue;
    }
    const length = valueLength(message, tag & 7);
    if (length < 0 || length > message.length - at) return 0;
    at += <i32>length;
  }
  return 0;
}
