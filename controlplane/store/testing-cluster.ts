// A cluster as a watch of its API server tells of it, for tests: each event is a unit.
import type { SourceUnit } from "../model/document.ts";
import { isKind, kindDefinitions } from "../model/kinds.ts";
import type { KubernetesOrigin } from "../model/origin.ts";

/** An object as it is sent to an API server. */
export interface SentObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

export interface TestCluster {
  /** ADDED where there is none of its name, else MODIFIED: of one uid, in ever newer versions. */
  put(object: SentObject): SourceUnit;
  /** DELETED: what takes its name later is another object. */
  remove(object: SentObject): SourceUnit;
}

/** Returns a cluster without objects, of which the first version is 101. */
export function createTestCluster(): TestCluster {
  const uids = new Map<string, string>();
  let version = 100;
  let made = 0;
  return {
    put(object) {
      const { key, namespace } = named(object);
      const uid = uids.get(key) ?? `uid-${++made}`;
      uids.set(key, uid);
      const resourceVersion = String(++version);
      const metadata = { ...object.metadata, namespace, uid, resourceVersion, managedFields: [{ manager: "kubectl" }] };
      const origin: KubernetesOrigin = { kind: "kubernetes", object: key, uid, resourceVersion };
      const value: unknown = JSON.parse(JSON.stringify({ ...object, metadata }));
      return { id: uid, documents: [{ value, locate: () => ({ ...origin }) }], problems: [], settled: true };
    },
    remove(object) {
      const { key } = named(object);
      const id = uids.get(key) ?? "";
      uids.delete(key);
      return { id, documents: [], problems: [], settled: true };
    },
  };
}

/** An API server puts objects that name no namespace into the default one, except those of the whole cluster. */
function named({ kind, metadata: { name, namespace = "default" } }: SentObject) {
  if (isKind(kind) && kindDefinitions[kind].clusterScoped) return { key: `${kind}/${name}`, namespace: undefined };
  return { key: `${kind}/${namespace}/${name}`, namespace };
}
