// Consumes: the accepted objects of a mesh that need not run, a workload's name, the filter modules at hand.
// Produces: what that workload's proxy would be told.
// Never does: I/O.
import { type Failure, failed } from "../model/failure.ts";
import type { MeshObject } from "../model/object.ts";
import type { EmittedResources } from "../translate/emit/resources.ts";
import { createInputs } from "../world/inputs.ts";
import type { World } from "../world/world.ts";
import type { PluginModules } from "../translate/ir/modules.ts";
import type { ProxyIr } from "../translate/ir/proxy.ts";
import type { MeshProxy } from "../translate/ir/proxy-class.ts";
import { proxyOfPod } from "../proxies/proxy-class.ts";
import { podFactsOf } from "../pods/pod-facts.ts";
import { emitProxy, resolveProxy } from "../translate/translate.ts";
import { undeclaredPod, withOfflinePods } from "./offline-pods.ts";

/** What a proxy would be told, or why there is none to tell. */
export type Translation =
  | {
      readonly kind: "translated";
      readonly proxy: MeshProxy;
      readonly ir: ProxyIr;
      readonly resources: EmittedResources;
      /** False for a workload that nobody declares. */
      readonly isDeclared: boolean;
      /** What a reader should know, one sentence each. */
      readonly notes: readonly string[];
    }
  | Failure<"malformed-name" | "no-sidecar">;

/**
 * Returns what the first replica of `workload` (`<namespace>/<name>`) would be told. Workloads have made-up addresses
 * that are the same for the same mesh; one that nobody declares is taken for a sidecar with the label `app`.
 */
export function translateProxy(world: World, workload: string, modules: PluginModules): Translation {
  const [namespace, name, ...rest] = workload.split("/");
  if (!namespace || !name || rest.length > 0)
    return failed("malformed-name", `${JSON.stringify(workload)} is not of the form NAMESPACE/WORKLOAD`);
  const offline = withOfflinePods(world);
  const declared = podOf(offline, namespace, name);
  const isDeclared = declared !== undefined;
  const notes = isDeclared
    ? []
    : [`no Deployment, Pod or Gateway declares ${workload}: translated for a sidecar with the label app=${name}`];
  const proxy = proxyOfPod(offline, declared ?? undeclaredPod(world, namespace, name));
  if (proxy === undefined) return failed("no-sidecar", `${workload} has no sidecar`);
  const ir = resolveProxy(createInputs(offline, modules), proxy);
  return { kind: "translated", proxy, ir, resources: emitProxy(ir), isDeclared, notes: [...notes, ...ir.shared.notes] };
}

function podOf(world: World, namespace: string, name: string): MeshObject<"Pod"> | undefined {
  const pods = world.list("Pod").filter((pod) => pod.metadata.namespace === namespace);
  return pods.find((pod) => podFactsOf(pod).workload === name) ?? pods.find((pod) => pod.metadata.name === name);
}
