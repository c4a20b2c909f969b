// Which Secrets the mesh's objects name: the others are nobody's business. Pure.
import { isJsonObject } from "../../model/json-object.ts";
import { type Labels, labelsMatch, selectsAll } from "../../model/labels.ts";
import type { ClusterObject } from "./decode-object.ts";

/** Names by namespace. */
export type NamedSecrets = ReadonlyMap<string, ReadonlySet<string>>;

/** Fields whose value names a Secret, or a list of them. */
const NAMING: ReadonlySet<string> = new Set([
  ...["credentialName", "credentialNames", "caCertCredentialName", "imagePullSecret"],
]);
/** What belongs to a credential may stand in a Secret of its own. */
const AUTHORITIES_SUFFIX = "-cacert";
/** Kinds whose credentials are the gateways', wherever those stand. */
const OF_GATEWAYS: ReadonlySet<string> = new Set(["Gateway", "DestinationRule"]);

/** Whether an object may name Secrets. */
export function mayNameSecrets({ kind }: Pick<ClusterObject, "kind">): boolean {
  return OF_GATEWAYS.has(kind) || kind === "WasmPlugin";
}

/** Returns the Secrets that an object names. */
export function secretsNamedBy({ value }: ClusterObject): readonly string[] {
  const names: string[] = [];
  const look = (inner: unknown): void => {
    if (Array.isArray(inner)) return inner.forEach(look);
    if (!isJsonObject(inner)) return;
    for (const [field, held] of Object.entries(inner)) {
      if (!NAMING.has(field)) look(held);
      else for (const name of [held].flat()) if (typeof name === "string" && name !== "") names.push(name);
    }
  };
  look(value["spec"]);
  return names;
}

/** Returns the labels by which a Gateway selects the pods that serve it; undefined: none does. */
export function gatewaySelector({ kind, value }: ClusterObject): Labels | undefined {
  const spec = value["spec"];
  const selector = kind === "Gateway" && isJsonObject(spec) ? spec["selector"] : undefined;
  const labels = isJsonObject(selector) ? (selector as Labels) : undefined;
  return selectsAll(labels) ? undefined : labels;
}

/** Returns the Secrets to read: in an object's own namespace, and what gateways use where gateways stand. */
export function namedSecrets(objects: Iterable<ClusterObject>, pods: () => Iterable<ClusterObject>): NamedSecrets {
  const named = new Map<string, Set<string>>();
  const ofGateways = new Set<string>();
  const selectors = new Map<string, Labels>();
  const add = (namespace: string, names: Iterable<string>): void => {
    const known = named.get(namespace) ?? new Set();
    for (const name of names) known.add(name).add(`${name}${AUTHORITIES_SUFFIX}`);
    if (known.size > 0) named.set(namespace, known);
  };
  for (const object of objects) {
    const names = secretsNamedBy(object);
    add(object.namespace, names);
    if (OF_GATEWAYS.has(object.kind)) for (const name of names) ofGateways.add(name);
    const selector = gatewaySelector(object);
    if (selector !== undefined) selectors.set(JSON.stringify(Object.entries(selector).sort()), selector);
  }
  if (ofGateways.size === 0 || selectors.size === 0) return named;
  for (const namespace of namespacesOf([...selectors.values()], pods())) add(namespace, ofGateways);
  return named;
}

function namespacesOf(selectors: readonly Labels[], pods: Iterable<ClusterObject>): ReadonlySet<string> {
  const found = new Set<string>();
  for (const { namespace, labels } of pods)
    if (!found.has(namespace) && selectors.some((selector) => labelsMatch(selector, labels))) found.add(namespace);
  return found;
}
