// Consumes: the published state of the mesh and its pods.
// Produces: whether an object concerns a connected proxy.
// Never does: work it out twice for one state of the mesh.
import type { Concerns } from "./admin/distribution.ts";
import { type ObjectRef, objectKey } from "./model/object.ts";
import type { Inputs } from "./serve-proxies.ts";
import { concernedBy } from "./translate/concerns.ts";
import { proxyClassOfPod } from "./translate/proxy-class.ts";

/** What these say reaches proxies by ways of its own: the mesh's settings, and secrets. */
const NOT_TRANSLATED = new Set(["ConfigMap", "Secret"]);

/** Answers for what is published now; undefined for proxies whose pods no document describes, and for objects that are not translated. */
export function createConcerns(published: () => Inputs | undefined): Concerns {
  let known: { readonly inputs: Inputs; readonly byObject: Map<string, ReadonlySet<string>> } | undefined;
  return ({ pod, namespace: podNamespace }, kind, namespace, name) => {
    const inputs = published();
    if (inputs === undefined || NOT_TRANSLATED.has(kind) || inputs.world.get("Pod", podNamespace, pod) === undefined) return undefined;
    if (known?.inputs !== inputs) known = { inputs, byObject: new Map() };
    const key = objectKey({ kind, namespace, name });
    let pods = known.byObject.get(key);
    if (pods === undefined) known.byObject.set(key, (pods = podsConcernedBy(inputs, { kind, namespace, name })));
    return pods.has(`${podNamespace}/${pod}`);
  };
}

function podsConcernedBy({ world, modules }: Inputs, ref: ObjectRef): ReadonlySet<string> {
  const classes = world.list("Pod").flatMap((pod) => {
    const proxy = proxyClassOfPod(pod);
    return proxy === undefined ? [] : [{ key: `${pod.metadata.namespace}/${pod.metadata.name}`, proxy }];
  });
  const concerned = concernedBy(world, modules, classes.map(({ proxy }) => proxy), ref);
  return new Set(classes.filter(({ proxy }) => concerned.has(proxy)).map(({ key }) => key));
}
