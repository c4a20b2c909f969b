// Consumes: the Pods of the World that `scrim up` made.
// Produces: their facts, typed.
// Never does: trust an annotation to be well-formed.
import type { MeshObject } from "../model/object.ts";
import type { World } from "../world/world.ts";

/** What the runner says about one of its pods. */
export interface RuntimePod {
  readonly name: string;
  readonly namespace: string;
  readonly kind: "sidecar" | "router";
  readonly workload: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly serviceAccount: string;
  readonly ip: string;
  readonly outbound: string;
  readonly envoyAdmin: string;
  readonly pid: number | null;
  readonly templateHash: string;
  readonly ports: readonly { readonly port: number; readonly address: string }[];
  readonly ready: boolean;
  readonly terminating: boolean;
}

/** Returns the pods with a proxy of the runner's. */
export function runtimePods(world: World): readonly RuntimePod[] {
  return world.list("Pod").flatMap((pod) => {
    const kind = pod.metadata.annotations["scrim.mesh/proxy"];
    return kind === "sidecar" || kind === "router" ? [readPod(pod, kind)] : [];
  });
}

/** Returns the revision of the runtime directory that this World was made from; 0 without one. */
export function runtimeRevision(world: World): number {
  return Number(world.get("ConfigMap", "istio-system", "scrim-runtime")?.spec.data?.["revision"] ?? 0) || 0;
}

function readPod(pod: MeshObject<"Pod">, kind: "sidecar" | "router"): RuntimePod {
  const { name, namespace, annotations, labels, deletionTimestamp } = pod.metadata;
  const annotation = (key: string) => annotations[`scrim.mesh/${key}`] ?? "";
  return {
    name,
    namespace,
    kind,
    labels,
    workload: annotation("workload"),
    serviceAccount: pod.spec.serviceAccountName || "default",
    ip: pod.spec.status?.podIP ?? "",
    outbound: annotation("outbound"),
    envoyAdmin: annotation("envoy-admin"),
    pid: Number(annotation("envoy-pid")) || null,
    templateHash: annotation("template-hash"),
    ports: readPorts(annotation("listen")),
    ready: pod.spec.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false,
    terminating: deletionTimestamp !== undefined,
  };
}

function readPorts(text: string): { port: number; address: string }[] {
  try {
    const list: unknown = JSON.parse(text);
    if (!Array.isArray(list)) return [];
    return list.flatMap((entry: { port?: unknown; address?: unknown }) =>
      typeof entry?.port === "number" && typeof entry.address === "string"
        ? [{ port: entry.port, address: entry.address }]
        : [],
    );
  } catch {
    return [];
  }
}
