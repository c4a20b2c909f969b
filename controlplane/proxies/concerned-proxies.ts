// Consumes: the published state of the mesh and its pods.
// Produces: whether an object concerns a connected proxy.
// Never does: work it out twice for one state of the mesh.
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Kind } from "../model/kinds.ts";
import { type ObjectRef, objectKey } from "../model/object.ts";
import { runSlice } from "../model/time-slice.ts";
import type { Inputs } from "../translate/resolve/modules.ts";
import { sliceBudget } from "../snapshot/publisher.ts";
import { concernedBy } from "../translate/concerns.ts";
import { proxyOfPod } from "./proxy-class.ts";

/** What these say reaches proxies by ways of its own: the mesh's settings, and secrets. */
const NOT_TRANSLATED = new Set(["ConfigMap", "Secret"]);

/**
 * Whether the content a proxy was made from read an object; undefined where that is not known, and then it counts as
 * concerned.
 */
export type Concerns = (
  proxy: { readonly pod: string; readonly namespace: string },
  kind: Kind,
  namespace: string,
  name: string,
) => boolean | undefined;

export interface ConcernedProxies {
  /**
   * Answers for what is published now; undefined for proxies whose pods no document describes, and for objects that are
   * not translated.
   */
  readonly concerns: Concerns;
  /** Finds out whom an object concerns, a slice of time after the other; then `concerns` need only look it up. */
  find(object: ObjectRef): Promise<void>;
}

/** Returns answers for what is published then. */
export function createConcernedProxies(
  published: () => Inputs | undefined,
  clock: { monotonicMs(): number },
): ConcernedProxies {
  let known: { readonly inputs: Inputs; readonly byObject: Map<string, ReadonlySet<string>> } | undefined;
  const podsOf = (inputs: Inputs, object: ObjectRef): ReadonlySet<string> => {
    if (known?.inputs !== inputs) known = { inputs, byObject: new Map() };
    const key = objectKey(object);
    let pods = known.byObject.get(key);
    if (pods === undefined) known.byObject.set(key, (pods = podsConcernedBy(inputs, object)));
    return pods;
  };
  return {
    concerns({ pod, namespace: podNamespace }, kind, namespace, name) {
      const inputs = published();
      if (inputs === undefined || NOT_TRANSLATED.has(kind) || inputs.world.get("Pod", podNamespace, pod) === undefined)
        return undefined;
      return podsOf(inputs, { kind, namespace, name }).has(`${podNamespace}/${pod}`);
    },
    async find(object) {
      if (NOT_TRANSLATED.has(object.kind)) return;
      for (let inputs = published(), slices = 0; inputs !== undefined; inputs = published(), slices++) {
        const asked = inputs;
        // What is published may change meanwhile: then that is looked at.
        if (runSlice(sliceBudget(slices, clock), () => podsOf(asked, object)).kind === "done") return;
        await nextTurn();
      }
    },
  };
}

function podsConcernedBy(inputs: Inputs, ref: ObjectRef): ReadonlySet<string> {
  const proxies = inputs.world.list("Pod").flatMap((pod) => {
    const proxy = proxyOfPod(inputs.world, pod);
    return proxy === undefined ? [] : [{ key: `${pod.metadata.namespace}/${pod.metadata.name}`, proxy }];
  });
  const concerned = concernedBy(
    inputs,
    proxies.map(({ proxy }) => proxy),
    ref,
  );
  return new Set(proxies.filter(({ proxy }) => concerned.has(proxy)).map(({ key }) => key));
}
