// Services that lead to nobody: their selectors select no workload, or the ports they name are nobody's.
import type { ServicePortSpec } from "../model/kinds/service.ts";
import { type Labels, selectsAll } from "../model/labels.ts";
import type { MeshObject } from "../model/object.ts";
import { didYouMean } from "../validate/suggest.ts";
import { slicesOf } from "../translate/resolve/service.ts";
import type { World } from "../world/world.ts";
import { analysisOf, type Flaw } from "./finding.ts";
import { lackingWorkload, nobody } from "./selectors.ts";
import { portNamesOfWorkloads } from "./workloads.ts";

/** Returns what is wrong with Services whose addresses nobody gives by slices. */
export const analyzeServices = analysisOf("Service", (world, service): readonly Flaw[] => {
  const { metadata, spec } = service;
  // An ExternalName has no use for a selector.
  if (spec.type === "ExternalName" || slicesOf(world, service).length > 0) return [];
  const faults = nobody(world, metadata.namespace, spec.selector, ["spec", "selector"]);
  return faults.length > 0 ? faults : targetsMissing(world, service);
});

function targetsMissing(world: World, { metadata: { namespace }, spec }: MeshObject<"Service">): readonly Flaw[] {
  const selector: Labels | undefined = spec.selector;
  if (selector === undefined || selectsAll(selector)) return [];
  return (spec.ports ?? []).flatMap((port, index): readonly Flaw[] => {
    const name = targetName(port);
    const names = name === undefined ? undefined : portNamesOfWorkloads(world, namespace, selector);
    if (name === undefined || names === undefined || names.has(name)) return [];
    const message = `no selected workload names a port ${name}${didYouMean(name, [...names])}: nobody is reached by it`;
    return [{ path: ["spec", "ports", index, "targetPort"], message, lacks: lackingWorkload(namespace) }];
  });
}

/** Kubernetes' IntOrString may carry a number as text; ports of other protocols are not the mesh's. */
function targetName({ targetPort, protocol }: ServicePortSpec): string | undefined {
  const isName = typeof targetPort === "string" && !/^\d+$/.test(targetPort);
  return isName && (protocol ?? "TCP").toUpperCase() === "TCP" ? targetPort : undefined;
}
