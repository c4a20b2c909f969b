// Selectors that select nobody, and ports of workloads that none of them serves.
import type { FieldPath } from "../model/document.ts";
import { type Labels, selectsAll } from "../model/labels.ts";
import { decodeAnnotations } from "../pods/annotations.ts";
import { podFactsOf } from "../pods/pod-facts.ts";
import { servicesSelecting } from "../pods/served-ports.ts";
import { podsWith } from "../translate/resolve/pod-endpoints.ts";
import { workloadsWith } from "../pods/templated-workloads.ts";
import { objectsIn } from "../world/label-index.ts";
import type { World } from "../world/world.ts";
import { analysisOf, type Flaw } from "./finding.ts";
import { isWorkload, isWorkloadAnywhere, knowsWorkloads, portsOfWorkloads } from "./workloads.ts";

const MATCH_LABELS = ["spec", "selector", "matchLabels"];

/** Returns Sidecars that select nobody, and ingress for pods whose programs are told of their sidecar. */
const analyzeSidecars = analysisOf("Sidecar", (world, { metadata: { namespace }, spec }) => {
  const labels = spec.workloadSelector?.labels;
  const faults = nobody(world, namespace, labels, ["spec", "workloadSelector", "labels"]);
  if (faults.length > 0 || (spec.ingress ?? []).length === 0) return faults;
  const pods =
    labels === undefined || selectsAll(labels)
      ? objectsIn(world, "Pod", namespace)
      : podsWith(world, namespace, labels);
  const told = pods.map(podFactsOf).find(({ proxy, capture }) => proxy === "sidecar" && capture === undefined);
  if (told === undefined) return [];
  const message = `has no effect on ${told.workload}: its connections are not captured, and its ports are given to it`;
  return [{ path: ["spec", "ingress"], message }];
});

/** Returns DestinationRules for workloads that are not there: those of their own namespace count. */
const analyzeDestinationRules = analysisOf("DestinationRule", (world, { metadata, spec }) =>
  nobody(world, metadata.namespace, spec.workloadSelector?.matchLabels, ["spec", "workloadSelector", "matchLabels"]),
);

/** Returns PeerAuthentications for nobody, and for ports that nobody serves. */
const analyzePeerAuthentications = analysisOf("PeerAuthentication", (world, { metadata: { namespace }, spec }) => {
  const labels = spec.selector?.matchLabels;
  // As Istio's, a selector of the root namespace reaches its own workloads only.
  const faults = nobody(world, namespace, labels, MATCH_LABELS);
  if (faults.length > 0) return faults;
  return Object.keys(spec.portLevelMtls ?? {}).flatMap((port) =>
    portUnserved(world, namespace, labels, Number(port), ["spec", "portLevelMtls", port]),
  );
});

/** Returns AuthorizationPolicies for nobody, and rules for ports that nobody serves. */
const analyzeAuthorizationPolicies = analysisOf("AuthorizationPolicy", (world, { metadata: { namespace }, spec }) => {
  const labels = spec.selector?.matchLabels;
  const faults = nobodyInReach(world, namespace, labels);
  if (faults.length > 0 || namespace === world.mesh.rootNamespace) return faults;
  return (spec.rules ?? []).flatMap(({ to = [] }, rule) =>
    to.flatMap(({ operation }, index) =>
      (operation?.ports ?? []).flatMap((port, at) =>
        portUnserved(world, namespace, labels, Number(port), [
          "spec",
          "rules",
          rule,
          "to",
          index,
          "operation",
          "ports",
          at,
        ]),
      ),
    ),
  );
});

/** Returns ServiceEntries without a workload behind them. */
const analyzeServiceEntries = analysisOf("ServiceEntry", (world, { metadata, spec }) =>
  nobody(world, metadata.namespace, spec.workloadSelector?.labels, ["spec", "workloadSelector", "labels"]),
);

const others = (["Telemetry", "WasmPlugin", "RateLimitPolicy"] as const).map((kind) =>
  analysisOf(kind, (world, { metadata, spec }) => nobodyInReach(world, metadata.namespace, spec.selector?.matchLabels)),
);

/** Returns selectors that select nobody, by kind. */
export const selectorAnalyses = [
  analyzePeerAuthentications,
  analyzeAuthorizationPolicies,
  analyzeSidecars,
  analyzeDestinationRules,
  analyzeServiceEntries,
  ...others,
];

/** Selectors of the root namespace reach the whole mesh. */
function nobodyInReach(world: World, namespace: string, labels: Labels | undefined): readonly Flaw[] {
  if (namespace !== world.mesh.rootNamespace) return nobody(world, namespace, labels, MATCH_LABELS);
  if (labels === undefined || selectsAll(labels) || !knowsWorkloads(world) || isWorkloadAnywhere(world, labels))
    return [];
  return [
    {
      path: MATCH_LABELS,
      message: "selects nobody: no workload of the mesh has these labels",
      lacks: lackingWorkload(),
    },
  ];
}

/** Returns that a selector selects nobody in a namespace; nothing where it selects all, or no workload is known. */
export function nobody(world: World, namespace: string, labels: Labels | undefined, path: FieldPath): readonly Flaw[] {
  if (labels === undefined || selectsAll(labels) || !knowsWorkloads(world) || isWorkload(world, namespace, labels))
    return [];
  const message = `selects nobody: no workload of namespace ${namespace} has these labels`;
  return [{ path, message, lacks: lackingWorkload(namespace) }];
}

/** Who could be selected, in a namespace or anywhere. */
export function lackingWorkload(namespace?: string): readonly string[] {
  const of = namespace === undefined ? "" : `${namespace}/`;
  return ["Deployment", "StatefulSet", "DaemonSet", "Job", "Pod", "WorkloadEntry"].map((kind) => `${kind}/${of}`);
}

function portUnserved(
  world: World,
  namespace: string,
  labels: Labels | undefined,
  port: number,
  path: FieldPath,
): readonly Flaw[] {
  if (labels === undefined || selectsAll(labels)) return [];
  const served = portsOfWorkloads(world, namespace, labels);
  if (served === undefined || served.size === 0 || served.has(port) || takesAnyPort(world, namespace, labels))
    return [];
  const ports = [...served].sort((a, b) => a - b).join(", ");
  const target = targetOf(world, namespace, labels, port);
  const hint = target === undefined ? "" : `; the Service's port ${port} leads to ${target}`;
  const message = `no selected workload serves port ${port}: they serve ${ports}${hint}`;
  return [{ path, message, lacks: [`Service/${namespace}/`] }];
}

/** A captured sidecar takes what comes to any port, also to those that nobody declares. */
function takesAnyPort(world: World, namespace: string, labels: Labels): boolean {
  return (
    podsWith(world, namespace, labels).some((pod) => podFactsOf(pod).capture !== undefined) ||
    workloadsWith(world, namespace, labels).some(
      ({ spec }) => decodeAnnotations(spec.template.metadata?.annotations ?? {}).capture !== undefined,
    )
  );
}

/** Where a Service leads that has this port: what people write for the workload's. */
function targetOf(world: World, namespace: string, labels: Labels, port: number): number | string | undefined {
  const [pod] = podsWith(world, namespace, labels);
  const [deployment] = workloadsWith(world, namespace, labels);
  const own = pod?.metadata.labels ?? deployment?.spec.template.metadata?.labels ?? {};
  return servicesSelecting(world, namespace, own)
    .flatMap(({ spec }) => spec.ports ?? [])
    .find((candidate) => candidate.port === port)?.targetPort;
}
