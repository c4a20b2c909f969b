// Consumes: what proxies are made from, and an object.
// Produces: the classes of proxies that would be told something else without it.
// Never does: find it out twice for one version of an object; classes that came later count as concerned.
import { setImmediate as nextTurn } from "node:timers/promises";
import { type MeshObject, refOf } from "../model/object.ts";
import { runSlice } from "../model/time-slice.ts";
import { proxyOfPod } from "../proxies/proxy-class.ts";
import { sliceBudget } from "../snapshot/publisher.ts";
import { concernedBy } from "../translate/concerns.ts";
import type { MeshProxy, ProxyClass } from "../translate/ir/proxy-class.ts";
import type { Inputs } from "../translate/resolve/modules.ts";
import { memoized } from "../world/memo.ts";
import type { World } from "../world/world.ts";

export interface ConcernedClasses {
  /** Whether the object concerns a class; undefined: that was not found out yet. */
  concerns(object: MeshObject, proxyClass: ProxyClass): boolean | undefined;
  /** Finds out for one object, a slice of time after the other; the inputs may be others with each. */
  find(object: MeshObject, inputs: () => Inputs | undefined): Promise<void>;
  isKnown(object: MeshObject): boolean;
}

interface Known {
  readonly looked: ReadonlySet<ProxyClass>;
  readonly concerned: ReadonlySet<ProxyClass>;
}

/** Nothing is known yet. */
export function createConcernedClasses(clock: { monotonicMs(): number }): ConcernedClasses {
  const known = new WeakMap<MeshObject, Known>();
  return {
    concerns(object, proxyClass) {
      const of = known.get(object);
      return of && (of.concerned.has(proxyClass) || !of.looked.has(proxyClass));
    },
    isKnown: (object) => known.has(object),
    async find(object, inputs) {
      for (let slices = 0, asked = inputs(); asked !== undefined; slices++, asked = inputs()) {
        const of = asked;
        const outcome = runSlice(sliceBudget(slices, clock), () => lookAt(of, object));
        if (outcome.kind === "done") return void known.set(object, outcome.value);
        await nextTurn();
      }
    },
  };
}

function lookAt(inputs: Inputs, object: MeshObject): Known {
  const all = onePerClass(inputs.world);
  const concerned = concernedBy(inputs, [...all.values()], refOf(object));
  return { looked: new Set(all.keys()), concerned: new Set([...concerned].map((proxy) => proxy.class)) };
}

const onePerClass = memoized(
  (world: World): ReadonlyMap<ProxyClass, MeshProxy> =>
    new Map(
      world
        .list("Pod")
        .flatMap((pod) => proxyOfPod(world, pod) ?? [])
        .map((proxy) => [proxy.class, proxy]),
    ),
);
