// consumes: Envoy messages as translators write them (types in build/envoy.ts), or their bytes
// produces: bytes, messages, Any values, strict proto3 JSON
// never does: drop a field it does not know; a misspelt one throws MessageShapeError with its path
import { fromJson, toJson } from "protobufjs/ext/protojson.js";
import protobuf from "protobufjs/light.js";
import type { AnyMessage, Duration, JsonValue, MessageByName } from "./build/envoy.ts";
import { lowerMessage, raiseMessage } from "./convert.ts";
import { type MessageName, nameOfTypeUrl, typeOf, typeUrlOf } from "./schema.ts";

export { MessageShapeError } from "./convert.ts";
export { type MessageName, nameOfTypeUrl, typeUrlOf } from "./schema.ts";

/**
 * The bytes of a message. Equal content gives equal bytes (fields by number, map keys sorted). Enums are words,
 * wrappers (UInt32Value, BoolValue, StringValue, …) plain values, Struct plain JSON, Duration `{ seconds, nanos }` (see
 * durationFromMs), Any the result of packAny. Throws MessageShapeError for unknown fields, values of the wrong kind,
 * and two members of one oneof.
 */
export function encode<N extends MessageName>(name: N, message: MessageByName[N]): Uint8Array {
  const type = typeOf(name);
  const lowered = lowerMessage(type, message, name);
  const own = writer ?? protobuf.Writer.create();
  writer = undefined;
  const bytes = type.encode(lowered, own.reset()).finish();
  // One that threw half-way is not used again, and a large one is not kept.
  if (own.buf.length <= LARGEST_KEPT) writer = own;
  return bytes;
}

/**
 * What bytes are written to before their number is known: kept, so that it need not grow from nothing for each message.
 */
let writer: protobuf.Writer | undefined;
const LARGEST_KEPT = 1 << 20;

/** The message in bytes; fields that are not set are absent. Throws on bytes that are no such message. */
export function decode<N extends MessageName>(name: N, bytes: Uint8Array): MessageByName[N] {
  const type = typeOf(name);
  return raiseMessage(type, type.decode(bytes) as unknown as Record<string, unknown>) as MessageByName[N];
}

/** What was packed here, for as long as someone holds the Any: whoever looks into it need not read its bytes again. */
const packed = new WeakMap<AnyMessage, UnpackedAny>();

/** A message encoded into an Any, as `typedConfig` fields take it. The message must not change afterwards. */
export function packAny<N extends MessageName>(name: N, message: MessageByName[N]): AnyMessage {
  const any: AnyMessage = { typeUrl: typeUrlOf(name), value: encode(name, message) };
  packed.set(any, { name, message } as UnpackedAny);
  return any;
}

/**
 * One message of two parts that were packed here under one name and have no field in common: what protobuf makes of
 * their bytes one after another. What many messages share is so encoded once for all of them. The same Any for the same
 * parts. Throws for other parts.
 */
export function joinAny(first: AnyMessage, second: AnyMessage): AnyMessage {
  let withFirst = joins.get(first);
  if (withFirst === undefined) joins.set(first, (withFirst = new WeakMap()));
  let any = withFirst.get(second);
  if (any === undefined) {
    const [one, other] = [packed.get(first), packed.get(second)];
    if (one?.name === undefined || one.name !== other?.name)
      throw new TypeError("only what was packed under one name can be joined");
    const [left, right] = [one.message as object, other.message as object];
    const twice = Object.keys(right).find((key) => key in left);
    if (twice !== undefined) throw new TypeError(`${one.name}.${twice} stands in both parts`);
    withFirst.set(second, (any = { typeUrl: first.typeUrl, value: Buffer.concat([first.value, second.value]) }));
    packed.set(any, { name: one.name, message: { ...left, ...right } } as UnpackedAny);
    joined.set(any, [first, second]);
  }
  return any;
}

const joins = new WeakMap<AnyMessage, WeakMap<AnyMessage, AnyMessage>>();
const joined = new WeakMap<AnyMessage, readonly AnyMessage[]>();

/** The parts that a message was joined of; undefined for any other. */
export function partsOf(any: AnyMessage): readonly AnyMessage[] | undefined {
  return joined.get(any);
}

export type UnpackedAny =
  | { [N in MessageName]: { readonly name: N; readonly message: MessageByName[N] } }[MessageName]
  | { readonly name: undefined; readonly typeUrl: string };

/**
 * The message in an Any under its name (the one that was packed, if it was packed here); a type the built API does not
 * have comes back as `name: undefined`.
 */
export function unpackAny(any: AnyMessage): UnpackedAny {
  const known = packed.get(any);
  if (known !== undefined) return known;
  const name = nameOfTypeUrl(any.typeUrl);
  if (name === undefined) return { name, typeUrl: any.typeUrl };
  return { name, message: decode(name, any.value) } as UnpackedAny;
}

/**
 * Proto3 JSON of a message (or of its bytes) with every Any expanded. Throws for bytes that are no such message and for
 * an Any of an unknown type.
 */
export function proto3JsonOf<N extends MessageName>(name: N, message: MessageByName[N] | Uint8Array): JsonValue {
  const type = typeOf(name);
  return toJson(type, type.decode(bytesOf(name, message))) as JsonValue;
}

/**
 * The same after reading it back by the strict parser and comparing bytes, which takes three times as long. For goldens
 * and tests; throws when the two do not agree.
 */
export function toProto3Json<N extends MessageName>(name: N, message: MessageByName[N] | Uint8Array): JsonValue {
  const type = typeOf(name);
  const bytes = bytesOf(name, message);
  const json = toJson(type, type.decode(bytes)) as JsonValue;
  const again = type.encode(fromJson(type, json)).finish();
  if (Buffer.compare(Buffer.from(again), Buffer.from(type.encode(type.decode(bytes)).finish())) !== 0)
    throw new Error(`${name} does not survive proto3 JSON`);
  return json;
}

function bytesOf<N extends MessageName>(name: N, message: MessageByName[N] | Uint8Array): Uint8Array {
  return message instanceof Uint8Array && typeOf(name).fullName !== ".google.protobuf.BytesValue"
    ? message
    : encode(name, message as MessageByName[N]);
}

/** A message out of proto3 JSON, strictly: unknown fields throw. For configurations that are written as JSON. */
export function fromProto3Json<N extends MessageName>(name: N, json: JsonValue): MessageByName[N] {
  const type = typeOf(name);
  return raiseMessage(type, fromJson(type, json) as unknown as Record<string, unknown>) as MessageByName[N];
}

/** A Duration of milliseconds (fractions count down to a nanosecond). */
export function durationFromMs(ms: number): Duration {
  const seconds = Math.trunc(ms / 1000);
  const nanos = Math.round((ms - seconds * 1000) * 1e6);
  return nanos === 0 ? { seconds } : { seconds, nanos };
}
