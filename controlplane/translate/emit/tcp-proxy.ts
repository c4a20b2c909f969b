// Connections that are not HTTP, led on as they are.
import type { Filter } from "../../../protos/build/envoy.ts";
import { durationFromMs, packAny } from "../../../protos/codec.ts";
import type { ConnectionPolicy, WeightedUpstream } from "../ir/captured.ts";
import type { AccessLog } from "../ir/proxy.ts";
import { buildAccessLogs } from "./access-log.ts";
import { upstreamName } from "./names.ts";

/**
 * Returns the filter that leads connections to a cluster by name, or to one of several, drawn by weight for each. Unless
 * a rule says otherwise a connection may be idle for as long as its ends like: nobody told them of a proxy.
 */
export function buildTcpProxy(
  to: string | readonly WeightedUpstream[],
  accessLog: AccessLog | undefined,
  { idleTimeoutMs = 0, maxDurationMs, isByClient }: ConnectionPolicy = { isByClient: false },
): Filter {
  const [first, ...others] = typeof to === "string" ? [] : to;
  const name = first === undefined ? String(to) : upstreamName(first.upstream);
  return {
    name: "envoy.filters.network.tcp_proxy",
    typedConfig: packAny("TcpProxy", {
      // Envoy takes what stands before the first dot for a label of its own.
      statPrefix: name.replaceAll(".", "_"),
      ...(first !== undefined && others.length > 0
        ? { weightedClusters: { clusters: [first, ...others].map(weighted) } }
        : { cluster: name }),
      idleTimeout: durationFromMs(idleTimeoutMs),
      ...(maxDurationMs !== undefined && { maxDownstreamConnectionDuration: durationFromMs(maxDurationMs) }),
      ...(isByClient && { hashPolicy: [{ sourceIp: {} }] }),
      accessLog: buildAccessLogs(accessLog, "client"),
    }),
  };
}

function weighted({ upstream, weight }: WeightedUpstream) {
  return { name: upstreamName(upstream), weight };
}
