// What the rest of the control plane sees of the mesh: one immutable state of every accepted object.
import type { Kind } from "../model/kinds.ts";
import { compareByAge, type MeshObject } from "../model/object.ts";

/** The mesh-wide settings with every default filled in. */
export interface MeshConfig {
  readonly trustDomain: string;
  readonly rootNamespace: string;
  readonly outboundTrafficPolicy: "ALLOW_ANY" | "REGISTRY_ONLY";
  /** A path, or "" for no access log. */
  readonly accessLogFile: string;
  /** Envoy's format string; "" means the default format. */
  readonly accessLogFormat: string;
  readonly accessLogEncoding: "TEXT" | "JSON";
  readonly enableAutoMtls: boolean;
  readonly connectTimeoutMs: number;
  readonly defaultConcurrency?: number;
  /** Whether policies run in the Wasm filters or in Envoy's native ones. */
  readonly engine: "wasm" | "native";
}

/** The settings of a mesh whose users said nothing. */
export const defaultMeshConfig: MeshConfig = Object.freeze({
  trustDomain: "cluster.local",
  rootNamespace: "istio-system",
  outboundTrafficPolicy: "ALLOW_ANY",
  accessLogFile: "/dev/stdout",
  accessLogFormat: "",
  accessLogEncoding: "TEXT",
  enableAutoMtls: true,
  connectTimeoutMs: 10_000,
  engine: "wasm",
});

/** One state of the mesh. Objects that did not change are the same references in the next state. */
export interface World {
  /** Counts up by one with every state that differs from the one before. */
  readonly revision: number;
  readonly mesh: MeshConfig;
  /** Oldest first: creation time (missing = oldest), then name, then namespace. The same array while no object of the kind changed. */
  list<K extends Kind>(kind: K): readonly MeshObject<K>[];
  /** `namespace` is "" for cluster-scoped kinds. */
  get<K extends Kind>(kind: K, namespace: string, name: string): MeshObject<K> | undefined;
}

/** The objects of one kind: sorted, and found by `namespace/name`. */
interface KindShelf {
  readonly sorted: readonly MeshObject[];
  readonly byName: ReadonlyMap<string, MeshObject>;
}

const emptyShelf: KindShelf = { sorted: Object.freeze([]), byName: new Map() };

/**
 * Returns the state that holds exactly `objects` (at most one per kind, namespace and name; a later one replaces an earlier).
 * Kinds whose objects are the same references as in `previous` keep their arrays.
 */
export function createWorld(objects: Iterable<MeshObject>, mesh: MeshConfig = defaultMeshConfig, revision = 1, previous?: World): World {
  const byKind = new Map<Kind, Map<string, MeshObject>>();
  for (const object of objects) {
    let names = byKind.get(object.kind);
    if (names === undefined) byKind.set(object.kind, names = new Map());
    names.set(`${object.metadata.namespace}/${object.metadata.name}`, object);
  }
  const shelves = new Map<Kind, KindShelf>();
  for (const [kind, byName] of byKind) {
    const sorted = [...byName.values()].sort(compareByAge);
    const before = previous?.list(kind) ?? [];
    const same = before.length === sorted.length && sorted.every((object, index) => object === before[index]);
    shelves.set(kind, { sorted: same ? before : Object.freeze(sorted), byName });
  }
  const shelf = (kind: Kind) => shelves.get(kind) ?? emptyShelf;
  return Object.freeze({
    revision,
    mesh,
    // A shelf of kind K holds objects of kind K only: they were put there by their own `kind`.
    list: <K extends Kind>(kind: K) => shelf(kind).sorted as readonly MeshObject<K>[],
    get: <K extends Kind>(kind: K, namespace: string, name: string) => shelf(kind).byName.get(`${namespace}/${name}`) as MeshObject<K> | undefined,
  });
}
