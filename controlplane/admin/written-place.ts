// A message never names a file that nobody wrote: what is wrong with a pod that `scrim up` describes is told of what
// people wrote, its Deployment or a Gateway of its proxy.
import { dirname } from "node:path";
import { labelsMatch } from "../model/labels.ts";
import { type MeshObject, objectKey, refOf } from "../model/object.ts";
import { workloadNamed } from "../pods/templated-workloads.ts";
import { planRouters } from "../pods/gateway-plan.ts";
import type { StoreViolation } from "../store/objects-in-force.ts";
import type { World } from "../world/world.ts";

/** Returns what tells a violation of the pods in `runtimeDir` of the object that they are made from, if there is one. */
export function createWrittenPlaces(
  runtimeDir: string | undefined,
): (world: World, violation: StoreViolation) => StoreViolation {
  return (world, violation) => {
    const { origin, object, field, message } = violation;
    if (runtimeDir === undefined || origin.kind !== "file" || dirname(origin.path) !== runtimeDir) return violation;
    const [, namespace = "", name = ""] = object.split("/");
    const owner = ownerOf(world, namespace, name);
    if (owner === undefined) return violation;
    const said = [`its pod ${name}`, field, message].filter((part) => part !== "").join(": ");
    return { ...violation, origin: owner.origin, object: objectKey(refOf(owner)), field: "", message: said };
  };
}

/** A pod is called `<workload>-<ordinal>-<suffix>`, or without the suffix. */
function ownerOf(world: World, namespace: string, pod: string): MeshObject | undefined {
  const workload = /^(.+?)-\d+(?:-[^-]+)?$/.exec(pod)?.[1] ?? pod;
  const router = planRouters(world).find((plan) => plan.namespace === namespace && plan.name === workload);
  return (
    workloadNamed(world, namespace, workload) ??
    (router && world.list("Gateway").find(({ spec }) => labelsMatch(spec.selector, router.labels)))
  );
}
