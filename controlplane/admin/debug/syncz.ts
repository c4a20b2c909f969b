// How far every proxy is in sync, in Istio's two forms: the JSON of /debug/syncz, and a ClientConfig for each proxy over ADS.
import type { ClientConfig } from "../../../protos/build/envoy.ts";
import type { ResourceKind } from "../../snapshot/resources.ts";
import { resourceTypes } from "../../snapshot/type-urls.ts";
import type { DebugConnection, WatchedKind } from "./connection.ts";

const SYNCZ_KINDS = ["listeners", "routes", "endpoints", "clusters", "extensionConfigs"] as const satisfies readonly ResourceKind[];

/** Istio's name for each kind, the prefix of `…_sent` and `…_acked`. */
const PREFIX = { clusters: "cluster", listeners: "listener", routes: "route", endpoints: "endpoint", extensionConfigs: "extensionconfig" } as const;

/** Returns Istio's SyncStatus: versions that are equal where the proxy acknowledged what was sent, left out where nothing was. */
export function syncStatus(connection: DebugConnection): Readonly<Record<string, string>> {
  const { nodeId, envoyVersion, metadata } = connection;
  const cluster = metadata["CLUSTER_ID"];
  const version = metadata["ISTIO_VERSION"];
  return {
    cluster_id: typeof cluster === "string" ? cluster : "Kubernetes",
    proxy: nodeId,
    ...(nodeId.startsWith("router~") || nodeId.startsWith("sidecar~") ? { proxy_type: nodeId.slice(0, nodeId.indexOf("~")) } : {}),
    ...(envoyVersion === "" ? {} : { proxy_version: envoyVersion }),
    istio_version: typeof version === "string" ? version : `envoy ${envoyVersion}`,
    ...Object.fromEntries(Object.entries(PREFIX).flatMap(([kind, prefix]) => versionsOf(prefix, connection.kinds.get(kind as ResourceKind)))),
  };
}

function versionsOf(prefix: string, kind: WatchedKind | undefined): [string, string][] {
  if (kind?.sent === undefined) return [];
  const acked = kind.state === "SYNCED" ? kind.sent : kind.acked === kind.sent ? "" : kind.acked;
  return acked === undefined || acked === "" ? [[`${prefix}_sent`, kind.sent]] : [[`${prefix}_sent`, kind.sent], [`${prefix}_acked`, acked]];
}

/** Returns the proxy's envoy.service.status.v3.ClientConfig, as `istioctl proxy-status` asks for it over ADS. */
export function clientConfig({ nodeId, metadata, kinds }: DebugConnection): ClientConfig {
  return {
    node: { id: nodeId, metadata },
    genericXdsConfigs: SYNCZ_KINDS.map((kind) => ({ typeUrl: resourceTypes[kind].typeUrl, configStatus: configStatus(kinds.get(kind)) })),
  };
}

function configStatus(kind: WatchedKind | undefined): "NOT_SENT" | "SYNCED" | "STALE" | "ERROR" {
  if (kind?.sent === undefined) return "NOT_SENT";
  if (kind.state === "ERROR") return "ERROR";
  return kind.state === "SYNCED" ? "SYNCED" : "STALE";
}
