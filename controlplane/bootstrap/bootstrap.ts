// Consumes: the facts about one proxy: who it is, where it stands, where its control plane is.
// Produces: the bootstrap of its Envoy, as an object to be written as JSON.
// Never does: I/O, or anything that changes with the mesh's configuration (all of that comes by xDS).
import type { SocketAddress } from "../model/socket-address.ts";
import { buildAddress, type PipeAddress } from "./addresses.ts";
import { buildOverload, buildRuntime, internalListeners } from "./envoy-wide.ts";
import { buildStatsConfig } from "./stats.ts";
import { buildDynamicResources, buildXdsCluster, type ControlPlane } from "./xds-cluster.ts";

/** What one proxy's bootstrap depends on. */
export interface NodeFacts {
  readonly kind: "sidecar" | "router";
  readonly podName: string;
  readonly namespace: string;
  readonly workload: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly podIp: string;
  readonly trustDomain: string;
  readonly clusterId: string;
  /** Of what makes the bootstrap; the proxy tells it in its metrics. */
  readonly version: string;
  /** Where Envoy's admin page listens; always a loopback address or a socket that is its owner's. */
  readonly admin: SocketAddress | PipeAddress;
  readonly controlPlane: ControlPlane;
  /** The secret that proves the identity to the control plane; absent only where a bootstrap is shown to people. */
  readonly token: string | undefined;
  /** The labels of Istio's metrics, which become stats tags. */
  readonly metricLabels: readonly string[];
  /** Labels beyond Istio's that this mesh wants declared; the proxy says in its metadata which it has. */
  readonly extraStatTags?: readonly string[];
}

/** The DNS name of the control plane's certificate, as Istio's proxies expect it. */
export const CONTROL_PLANE_SERVER_NAME = "istiod.istio-system.svc";
const TOKEN_SECRET = "xds-token";

/**
 * Returns the node id in Istio's form, as in `sidecar~127.10.4.7~reviews-v1-0-x2b9f.default~default.svc.cluster.local`.
 */
export function nodeId(facts: Pick<NodeFacts, "kind" | "podIp" | "podName" | "namespace">): string {
  return `${facts.kind}~${facts.podIp}~${facts.podName}.${facts.namespace}~${facts.namespace}.svc.cluster.local`;
}

/** Returns Envoy's bootstrap (envoy.config.bootstrap.v3.Bootstrap in proto3 JSON). */
export function buildBootstrap(facts: NodeFacts): Record<string, unknown> {
  return {
    node: buildNode(facts),
    admin: { address: buildAddress(facts.admin) },
    dynamic_resources: buildDynamicResources(),
    static_resources: {
      clusters: [
        buildXdsCluster(
          facts.controlPlane,
          facts.token === undefined ? undefined : { credential: { name: TOKEN_SECRET } },
        ),
      ],
      ...(facts.token !== undefined && {
        secrets: [{ name: TOKEN_SECRET, generic_secret: { secret: { inline_string: `Bearer ${facts.token}` } } }],
      }),
    },
    // A peer on this machine sees where a connection comes from: the pod, not 127.0.0.1.
    cluster_manager: { upstream_bind_config: { source_address: { address: facts.podIp, port_value: 0 } } },
    bootstrap_extensions: [internalListeners],
    stats_config: buildStatsConfig([...facts.metricLabels, ...(facts.extraStatTags ?? [])]),
    layered_runtime: buildRuntime(),
    overload_manager: buildOverload(),
  };
}

function buildNode(facts: NodeFacts): Record<string, unknown> {
  return {
    id: nodeId(facts),
    cluster: `${facts.labels["app"] ?? facts.workload}.${facts.namespace}`,
    metadata: {
      NAME: facts.podName,
      NAMESPACE: facts.namespace,
      SERVICE_ACCOUNT: facts.serviceAccount,
      WORKLOAD_NAME: facts.workload,
      OWNER: `kubernetes://apis/apps/v1/namespaces/${facts.namespace}/deployments/${facts.workload}`,
      LABELS: facts.labels,
      CLUSTER_ID: facts.clusterId,
      MESH_ID: facts.trustDomain,
      INSTANCE_IPS: facts.podIp,
      SCRIM_VERSION: facts.version,
      ...(facts.extraStatTags && { EXTRA_STAT_TAGS: facts.extraStatTags.join(",") }),
    },
  };
}
