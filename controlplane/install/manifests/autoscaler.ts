// How many pods a Deployment has, by the CPU they use.
import type { Description } from "../description/description.ts";

/** Returns the HorizontalPodAutoscaler of the Deployment with this name; the bounds are names of values, in braces. */
export function buildAutoscaler(
  name: string,
  metadata: Description,
  { least, most, cpuPercent }: { readonly least: string; readonly most: string; readonly cpuPercent: string },
): Description {
  const target = { type: "Utilization", averageUtilization: cpuPercent };
  return {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata,
    spec: {
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name },
      minReplicas: least,
      maxReplicas: most,
      metrics: [{ type: "Resource", resource: { name: "cpu", target } }],
    },
  };
}
