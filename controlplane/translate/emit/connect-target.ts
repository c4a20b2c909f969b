// Where the bytes of a tunnel go that turn out to be no HTTP: said by the tunnel's route, read by the listener inside
// the proxy.
import type { HttpFilter, Metadata } from "../../../protos/build/envoy.ts";
import { packAny } from "../../../protos/codec.ts";

/** Metadata namespace and key under which a CONNECT route says it. */
const [NAMESPACE, KEY] = ["scrim", "opaque"];

/**
 * Returns the filter that must stand in the chain of CONNECT. The state's name is the one by which Envoy's TCP proxy
 * finds its cluster.
 */
export function buildConnectTargetFilter(): HttpFilter {
  return {
    name: "envoy.filters.http.set_filter_state",
    typedConfig: packAny("SetFilterState", {
      onRequestHeaders: [
        {
          objectKey: "envoy.tcp_proxy.cluster",
          formatString: {
            textFormatSource: { inlineString: `%METADATA(ROUTE:${NAMESPACE}:${KEY})%` },
            omitEmptyValues: true,
            formatters: [{ name: "envoy.formatter.metadata", typedConfig: packAny("MetadataFormatter", {}) }],
          },
          // Routes of other tunnels lead straight to where their bytes go.
          skipIfEmpty: true,
          sharedWithUpstream: "ONCE",
        },
      ],
    }),
  };
}

/** Returns what a CONNECT route says of it, as metadata. */
export function buildConnectTarget(cluster: string): Metadata["filterMetadata"] {
  return { [NAMESPACE]: { [KEY]: cluster } };
}
