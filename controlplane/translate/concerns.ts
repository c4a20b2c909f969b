// consumes: a World and the modules at hand, proxies, the name of an object
// produces: which of them would be told something else if the object were not there
// never does: know which proxies are connected or what they were sent
import type { ObjectRef } from "../model/object.ts";
import { sameEntries } from "../world/derive.ts";
import { createInputs } from "../world/inputs.ts";
import { changeWorld } from "../world/world.ts";
import type { EmittedResources } from "./emit/resources.ts";
import type { MeshProxy } from "./ir/proxy-class.ts";
import type { Inputs } from "./resolve/modules.ts";
import { emitProxy, resolveProxy } from "./translate.ts";

/**
 * Returns those of `proxies` whose configuration is another with the object than without it. Only what depends on the
 * object is made for that; ask for all proxies at once, and keep the answer as long as the World. An object that is not
 * there concerns nobody. MeshConfig's ConfigMap concerns nobody here: what it says is a part of the World, not of its
 * objects.
 */
export function concernedBy(
  inputs: Inputs,
  proxies: readonly MeshProxy[],
  { kind, namespace, name }: ObjectRef,
): ReadonlySet<MeshProxy> {
  const { world, modules } = inputs;
  const object = world.get(kind, namespace, name);
  if (object === undefined) return new Set();
  const without = createInputs(changeWorld(world, [{ before: object, now: undefined }], world.mesh), modules);
  // One state after the other: going to and fro would make everything that depends on the object anew each time.
  const others = proxies.map((proxy) => emitProxy(resolveProxy(without, proxy)));
  return new Set(proxies.filter((proxy, index) => !isSame(emitProxy(resolveProxy(inputs, proxy)), others[index]!)));
}

function isSame(left: EmittedResources, right: EmittedResources): boolean {
  return (Object.keys(left) as (keyof EmittedResources)[]).every(
    (kind) => left[kind] === right[kind] || sameEntries<object>(left[kind], right[kind]),
  );
}
