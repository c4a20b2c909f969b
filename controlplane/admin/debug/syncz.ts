// How far every proxy is in sync, in Istio's two forms: the JSON of /debug/syncz, and a ClientConfig for each proxy
// over ADS.
import type { ClientConfig, ClientConfig_GenericXdsConfig } from "../../../protos/build/envoy.ts";
import type { ResourceKind } from "../../snapshot/resources.ts";
import { resourceTypes } from "../../snapshot/type-urls.ts";
import type { DebugConnection, WatchedKind } from "./connection.ts";
import { istiosMetadata } from "./node-metadata.ts";

const SYNCZ_KINDS = [
  "listeners",
  "routes",
  "endpoints",
  "clusters",
  "extensionConfigs",
] as const satisfies readonly ResourceKind[];

/** Istio's name for each kind, the prefix of `…_sent` and `…_acked`. */
const PREFIX = {
  clusters: "cluster",
  listeners: "listener",
  routes: "route",
  endpoints: "endpoint",
  extensionConfigs: "extensionconfig",
} as const;

/**
 * Returns Istio's SyncStatus: versions that are equal where the proxy acknowledged what was sent, left out where
 * nothing was. `resources` has every type that was asked for.
 */
export function syncStatus(connection: DebugConnection): Readonly<Record<string, unknown>> {
  const { nodeId, envoyVersion, kinds } = connection;
  const metadata = istiosMetadata(connection);
  return {
    cluster_id: metadata["CLUSTER_ID"],
    proxy: nodeId,
    ...(nodeId.startsWith("router~") || nodeId.startsWith("sidecar~")
      ? { proxy_type: nodeId.slice(0, nodeId.indexOf("~")) }
      : {}),
    ...(envoyVersion === "" ? {} : { proxy_version: envoyVersion }),
    istio_version: metadata["ISTIO_VERSION"],
    ...Object.fromEntries(
      Object.entries(PREFIX).flatMap(([kind, prefix]) =>
        Object.entries(versionsOf(kinds.get(kind as ResourceKind))).map(([what, version]) => [
          `${prefix}_${what}`,
          version,
        ]),
      ),
    ),
    resources: Object.fromEntries(
      [...kinds].map(([kind, watched]) => [
        resourceTypes[kind].typeUrl,
        { ...versionsOf(watched), ...(watched.error === undefined ? {} : { lastError: watched.error }) },
      ]),
    ),
  };
}

function versionsOf(kind: WatchedKind | undefined): { readonly sent?: string; readonly acked?: string } {
  if (kind?.sent === undefined) return {};
  const acked = kind.state === "SYNCED" ? kind.sent : kind.acked === kind.sent ? "" : kind.acked;
  return { sent: kind.sent, ...(acked === undefined || acked === "" ? {} : { acked }) };
}

/** Returns the proxy's envoy.service.status.v3.ClientConfig, as `istioctl proxy-status` asks for it over ADS. */
export function clientConfig(connection: DebugConnection): ClientConfig {
  const { nodeId, kinds } = connection;
  return {
    node: { id: nodeId, metadata: istiosMetadata(connection) },
    genericXdsConfigs: SYNCZ_KINDS.map((kind) => ({
      typeUrl: resourceTypes[kind].typeUrl,
      configStatus: configStatus(kinds.get(kind)),
      ...detailsOf(kinds.get(kind)),
    })),
  };
}

/** istioctl shows how long ago that was. */
function detailsOf(kind: WatchedKind | undefined): Pick<ClientConfig_GenericXdsConfig, "lastUpdated" | "errorState"> {
  return {
    ...(kind?.ackedAtMs === undefined
      ? {}
      : {
          lastUpdated: {
            seconds: Math.floor(kind.ackedAtMs / 1_000),
            nanos: Math.floor(kind.ackedAtMs % 1_000) * 1_000_000,
          },
        }),
    ...(kind?.error === undefined ? {} : { errorState: { details: kind.error } }),
  };
}

function configStatus(kind: WatchedKind | undefined): "NOT_SENT" | "SYNCED" | "STALE" | "ERROR" {
  if (kind?.sent === undefined) return "NOT_SENT";
  if (kind.state === "ERROR") return "ERROR";
  return kind.state === "SYNCED" ? "SYNCED" : "STALE";
}
