// What holds for an Envoy as a whole: bounds, and what it can do beside.
import { MAX_REGEX_PROGRAM_SIZE, REGEX_PROGRAM_SIZE_KEY } from "../model/envoy-limits.ts";

const MAX_DOWNSTREAM_CONNECTIONS = 50_000;

/** Returns Envoy's layered_runtime. */
export function buildRuntime(): Record<string, unknown> {
  return {
    layers: [
      {
        name: "static",
        static_layer: {
          [REGEX_PROGRAM_SIZE_KEY]: MAX_REGEX_PROGRAM_SIZE,
          // Against peers that open streams only to reset them (CVE-2023-44487 and its kin).
          "overload.premature_reset_total_stream_count": 500,
          "overload.premature_reset_min_stream_lifetime_seconds": 1,
          "http.max_requests_per_io_cycle": 1,
        },
      },
      { name: "admin", admin_layer: {} },
    ],
  };
}

/** Returns Envoy's overload_manager. */
export function buildOverload(): Record<string, unknown> {
  return {
    resource_monitors: [
      {
        name: "envoy.resource_monitors.global_downstream_max_connections",
        typed_config: {
          "@type":
            "type.googleapis.com/envoy.extensions.resource_monitors" +
            ".downstream_connections.v3.DownstreamConnectionsConfig",
          max_active_downstream_connections: MAX_DOWNSTREAM_CONNECTIONS,
        },
      },
    ],
  };
}

/** The extension (of bootstrap_extensions) by which listeners may be inside the proxy. */
export const internalListeners: Record<string, unknown> = {
  name: "envoy.bootstrap.internal_listener",
  typed_config: { "@type": "type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener" },
};
