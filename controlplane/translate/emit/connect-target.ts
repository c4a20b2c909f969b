// Where the bytes of a tunnel go that turn out to be no HTTP: noted when the tunnel is asked for, read by the listener inside the proxy.
import type { AnyMessage, HttpFilter } from "../../../protos/build/envoy.ts";
import { packAny } from "../../../protos/codec.ts";

const FILTER = "envoy.filters.http.set_filter_state";

/** Returns the filter that must stand in the chain of CONNECT; without a route's own configuration it does nothing. */
export function buildConnectTargetFilter(): HttpFilter {
  return { name: FILTER, typedConfig: packAny("SetFilterState", {}) };
}

/** Returns a CONNECT route's configuration of that filter. The state's name is the one by which Envoy's TCP proxy finds its cluster. */
export function buildConnectTarget(cluster: string): Readonly<Record<string, AnyMessage>> {
  const value = { objectKey: "envoy.tcp_proxy.cluster", formatString: { textFormatSource: { inlineString: cluster } }, sharedWithUpstream: "ONCE" } as const;
  return { [FILTER]: packAny("SetFilterState", { onRequestHeaders: [value] }) };
}
