// Consumes: what is known of the pods of a workload (captured, or a gateway's) when their text is written.
// Produces: the bootstrap of their Envoys, the same for each: which pod it is says Envoy's command line (--service-node).
// Never does: hold anything that somebody beside Envoy would have to fill in, or keep up to date, in the pod.
import { dirname } from "node:path";
import { buildAddress, type PipeAddress } from "./addresses.ts";
import { type AppHealth, buildProbeClusters } from "./app-health.ts";
import { buildOverload, buildRuntime, internalListeners } from "./envoy-wide.ts";
import { buildOwnListeners, buildOwnPagesCluster, type OwnAddresses } from "./own-listeners.ts";
import { buildStatsConfig } from "./stats.ts";
import { buildDynamicResources, buildXdsCluster, type ControlPlane } from "./xds-cluster.ts";

/** What the bootstraps of a workload's proxies depend on. */
export interface CapturedFacts {
  /** How connections come to sidecars (Istio's interceptionMode); undefined: nobody leads them there. */
  readonly capture: "REDIRECT" | "TPROXY" | undefined;
  readonly namespace: string;
  readonly workload: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly trustDomain: string;
  readonly clusterId: string;
  /** A name is resolved by the pod's own resolvers. */
  readonly controlPlane: ControlPlane;
  readonly token: TokenFiles;
  /** Envoy's own pages, all of them: who may write this socket may end the sidecar. */
  readonly admin: PipeAddress;
  readonly ipFamilies: OwnAddresses["ipFamilies"];
  /** The labels of Istio's metrics, which become stats tags. */
  readonly metricLabels: readonly string[];
  readonly extraStatTags: readonly string[];
  /** All addresses of the pod, with commas, where it says them itself. */
  readonly instanceIps?: string;
  /** Probes of the application that are asked at the readiness port. */
  readonly appHealth?: AppHealth | undefined;
}

/** Where the proof of identity is, which somebody replaces from time to time (as Kubernetes does projected tokens). */
export interface TokenFiles {
  /** Holds the token and nothing else. */
  readonly tokenFile: string;
  /** Holds what `buildTokenSecret` returns. */
  readonly secretFile: string;
}

const TOKEN_SECRET = "xds-token";

/** Returns Envoy's bootstrap (envoy.config.bootstrap.v3.Bootstrap in proto3 JSON), without the node's id and cluster. */
export function buildCapturedBootstrap(facts: CapturedFacts): Record<string, unknown> {
  return {
    node: { metadata: buildMetadata(facts) },
    admin: { address: buildAddress(facts.admin) },
    dynamic_resources: buildDynamicResources(),
    static_resources: {
      clusters: [
        buildXdsCluster(facts.controlPlane, { credential: rotatedSecret(facts.token), prefix: "Bearer " }),
        buildOwnPagesCluster(facts.admin),
        ...(facts.appHealth ? buildProbeClusters(facts.appHealth, facts.ipFamilies) : []),
      ],
      listeners: buildOwnListeners(facts, facts.appHealth),
    },
    bootstrap_extensions: [internalListeners],
    stats_config: buildStatsConfig([...facts.metricLabels, ...facts.extraStatTags]),
    layered_runtime: buildRuntime(),
    overload_manager: buildOverload(),
  };
}

/** Returns what must stand in the file `secretFile`: a secret whose text is the token file's. */
export function buildTokenSecret({ tokenFile }: Pick<TokenFiles, "tokenFile">): Record<string, unknown> {
  return {
    resources: [
      {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
        name: TOKEN_SECRET,
        generic_secret: { secret: { filename: tokenFile } },
      },
    ],
  };
}

function buildMetadata(facts: CapturedFacts): Record<string, unknown> {
  return {
    NAMESPACE: facts.namespace,
    WORKLOAD_NAME: facts.workload,
    SERVICE_ACCOUNT: facts.serviceAccount,
    LABELS: facts.labels,
    CLUSTER_ID: facts.clusterId,
    MESH_ID: facts.trustDomain,
    ...(facts.capture && { INTERCEPTION_MODE: facts.capture }),
    ...(facts.instanceIps !== undefined && { INSTANCE_IPS: facts.instanceIps }),
    ...(facts.extraStatTags.length > 0 && { EXTRA_STAT_TAGS: facts.extraStatTags.join(",") }),
  };
}

/** Read again whenever something in the token's directory is replaced by a rename; the next stream carries it. */
function rotatedSecret({ tokenFile, secretFile }: TokenFiles): Record<string, unknown> {
  return {
    name: TOKEN_SECRET,
    sds_config: {
      resource_api_version: "V3",
      path_config_source: { path: secretFile, watched_directory: { path: dirname(tokenFile) } },
    },
  };
}
