import { Status } from "./abi/status";
import { Bytes, EMPTY } from "./bytes";
import { runForeign } from "./foreign";
import { literal } from "./literal";
import { beginMessage, putBytesField, putNumberField } from "./messages";

/** How long filter state lives. */
export const enum LifeSpan {
  /** Until the filter chain of this stream ends; not after an internal redirect. */
  FilterChain = 0,
  /** As long as the downstream request. */
  Request = 1,
  /** As long as the downstream connection. */
  Connection = 2,
}

/** What a declared property holds, for those who read it. */
export const enum PropertyType {
  Bytes = 0,
  String = 1,
  FlatBuffers = 2,
  Protobuf = 3,
}

/**
 * Sets filter state that Envoy itself understands (`setProperty` sets one of the filter's own):
 * `envoy.tcp_proxy.cluster`, `envoy.network.upstream_server_name` and the like, from the text its factory reads.
 * @returns NotFound for a key without a factory, BadArgument for a text it cannot read
 * Source: Envoy, "Well known filter state objects".
 */
export function setFilterState(key: Bytes, value: Bytes, span: LifeSpan = LifeSpan.FilterChain): Status {
  const message = beginMessage();
  putBytesField(message, 1, key);
  putBytesField(message, 2, value);
  putNumberField(message, 3, span);
  return runForeign(literal("set_envoy_filter_state"), message.result);
}

/**
 * Says, while a root is configured, what `setProperty(name, …)` of its streams will hold and how long.
 * @param readonly a second `setProperty` is then refused with BadArgument
 * @param schema type URL or schema, for `FlatBuffers` and `Protobuf`
 * @returns BadArgument if the root declared it already
 */
export function declareProperty(
  name: Bytes,
  type: PropertyType,
  span: LifeSpan = LifeSpan.FilterChain,
  readonly: bool = false,
  schema: Bytes = EMPTY,
): Status {
  const message = beginMessage();
  putBytesField(message, 1, name);
  putNumberField(message, 2, readonly ? 1 : 0);
  putNumberField(message, 3, type);
  putBytesField(message, 4, schema);
  putNumberField(message, 5, span);
  return runForeign(literal("declare_property"), message.result);
}
