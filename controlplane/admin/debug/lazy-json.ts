// Proto3 JSON of large messages, made field by field while it is written.
import protobuf from "protobufjs/light.js";
import type { AnyMessage, ConfigDump, JsonValue } from "../../../protos/build/envoy.ts";
import { decode, type MessageName, nameOfTypeUrl, proto3JsonOf } from "../../../protos/codec.ts";
import { LazyList } from "../json-pieces.ts";

/** Fields that stand more often than this are made one by one. */
const FEW = 8;

/** Returns the dump as `proto3JsonOf` does, its sections and what they list made one by one. */
export function lazyJsonOfDump({ configs = [] }: ConfigDump): object {
  return configs.length === 0 ? {} : { configs: new LazyList(configs, jsonOfAny) };
}

/** As everywhere else in JSON, an Any's fields stand beside its `@type`. */
function jsonOfAny({ typeUrl, value }: AnyMessage): object {
  const name = nameOfTypeUrl(typeUrl);
  if (name === undefined) throw new RangeError(`a message of the unknown type ${typeUrl}`);
  return { "@type": typeUrl, ...(name === "RoutesConfigDump" ? jsonOfRoutes(value) : fieldsOf(name, value)) };
}

/** Nearly all of it are the virtual hosts of one item. */
function jsonOfRoutes(value: Uint8Array): object {
  const { dynamicRouteConfigs = [] } = decode("RoutesConfigDump", value);
  if (dynamicRouteConfigs.length === 0) return {};
  return {
    dynamicRouteConfigs: new LazyList(dynamicRouteConfigs, ({ versionInfo, routeConfig }) => ({
      versionInfo,
      routeConfig: routeConfig && jsonOfAny(routeConfig),
    })),
  };
}

/** A field of a message by itself is a message too: of one that stands often, each is turned into JSON alone. */
function fieldsOf(name: MessageName, bytes: Uint8Array): object {
  const byField = new Map<number, Uint8Array[]>();
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len) {
    const start = reader.pos,
      tag = reader.uint32();
    reader.skipType(tag & 7);
    const same = byField.get(tag >>> 3),
      part = bytes.subarray(start, reader.pos);
    if (same === undefined) byField.set(tag >>> 3, [part]);
    else same.push(part);
  }
  return Object.assign({}, ...[...byField.values()].map((parts) => jsonOfField(name, parts))) as object;
}

function jsonOfField(name: MessageName, parts: readonly Uint8Array[]): object {
  const first = parts.length > FEW ? Object.entries(objectOf(name, parts[0]!)) : [];
  const [entry] = first;
  if (entry === undefined || !Array.isArray(entry[1])) return objectOf(name, Buffer.concat(parts));
  const [key] = entry;
  return { [key]: new LazyList(parts, (part) => (objectOf(name, part)[key] as readonly JsonValue[])[0]) };
}

function objectOf(name: MessageName, bytes: Uint8Array): Readonly<Record<string, JsonValue>> {
  // Proto3 JSON of a message that is no well-known type is an object.
  return proto3JsonOf(name, bytes) as Readonly<Record<string, JsonValue>>;
}
