// The accepted configuration, in the form of Istio's /debug/configz and /debug/mesh.
import type { Kind } from "../../model/kinds.ts";
import type { MeshObject } from "../../model/object.ts";
import type { World } from "../../world/world.ts";

/** What is configuration of the mesh; Secrets, Pods and the like never are shown. */
const CONFIGURATION = /(^|\.)(istio\.io|scrim\.mesh)\//;

/** Returns every accepted object of the mesh's own kinds, in the form of a Kubernetes object. */
export function configuration(world: World, kinds: readonly Kind[]): readonly object[] {
  return kinds
    .flatMap((kind) => world.list(kind))
    .filter(({ apiVersion }) => CONFIGURATION.test(apiVersion))
    .map(toDocument);
}

function toDocument({ kind, apiVersion, metadata, spec }: MeshObject): object {
  const { name, namespace, labels, annotations, creationTimestamp, generation } = metadata;
  return {
    kind,
    apiVersion,
    metadata: {
      name,
      ...(namespace === "" ? {} : { namespace }),
      creationTimestamp: creationTimestamp ?? null,
      ...(generation === undefined ? {} : { generation }),
      ...(Object.keys(labels).length === 0 ? {} : { labels }),
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    },
    spec,
  };
}

/** Returns the mesh's settings under the names of Istio's MeshConfig. */
export function meshSettings({ mesh }: World): object {
  return {
    trustDomain: mesh.trustDomain,
    ...(mesh.trustDomainAliases.length > 0 && { trustDomainAliases: mesh.trustDomainAliases }),
    rootNamespace: mesh.rootNamespace,
    outboundTrafficPolicy: { mode: mesh.outboundTrafficPolicy },
    accessLogFile: mesh.accessLogFile,
    accessLogFormat: mesh.accessLogFormat,
    accessLogEncoding: mesh.accessLogEncoding,
    enableAutoMtls: mesh.enableAutoMtls,
    pathNormalization: { normalization: mesh.pathNormalization },
    connectTimeout: `${mesh.connectTimeoutMs / 1_000}s`,
    protocolDetectionTimeout: `${mesh.protocolDetectionTimeoutMs / 1_000}s`,
    ...(mesh.defaultConcurrency === undefined ? {} : { defaultConfig: { concurrency: mesh.defaultConcurrency } }),
  };
}
