// The control planes of a cluster, by their pods.
import type { MeshObject } from "../model/object.ts";
import { podFactsOf } from "../pods/pod-facts.ts";
import { memoized } from "../world/memo.ts";
import type { World } from "../world/world.ts";

/** Returns those in this namespace, of whatever revision, that may have proxies. */
export function controlPlanePods(world: World, namespace: string): readonly MeshObject<"Pod">[] {
  return labelled(world).filter((pod) => {
    const { ready, terminating } = podFactsOf(pod);
    return pod.metadata.namespace === namespace && ready && !terminating;
  });
}

const labelled = memoized((world: World): readonly MeshObject<"Pod">[] =>
  world.list("Pod").filter(({ metadata }) => metadata.labels["app"] === "istiod"),
);
