import type { Labels } from "./labels.ts";

/** Who runs behind a pod or an endpoint, as telemetry labels it. */
export interface WorkloadRef {
  readonly name: string;
  readonly namespace: string;
  readonly canonicalName: string;
  readonly canonicalRevision: string;
  readonly clusterId: string;
}

/** The name by which this cluster appears in telemetry, Istio's default. */
export const CLUSTER_ID = "Kubernetes";

/** Returns a workload as telemetry names it, canonical name and revision by Istio's rules. */
export function workloadRef(name: string, namespace: string, labels: Labels): WorkloadRef {
  return {
    name,
    namespace,
    canonicalName: labels["service.istio.io/canonical-name"] || labels["app.kubernetes.io/name"] || labels.app || name,
    canonicalRevision:
      labels["service.istio.io/canonical-revision"] ||
      labels["app.kubernetes.io/version"] ||
      labels.version ||
      "latest",
    clusterId: CLUSTER_ID,
  };
}
