// What the rest of the control plane sees of the mesh: one immutable state of every accepted object.
import { allKinds, type Kind } from "../model/kinds.ts";
import { compareByAge, type MeshObject } from "../model/object.ts";
import type { PluginTrustRule } from "../model/plugin-trust.ts";

/**
 * What becomes of requests when a function's module fails: they pass, or they are refused until it was started anew.
 */
export type FailStrategy = "FAIL_OPEN" | "FAIL_CLOSE";

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
  /** Labels beyond Istio's standard ones that proxies' bootstraps declare. */
  readonly extraStatTags: readonly string[];
  /** Whether policies run in the Wasm filters or in Envoy's native ones. */
  readonly engine: "wasm" | "native";
  /** Whose plugins may run, and what they may use. */
  readonly pluginTrust: readonly PluginTrustRule[];
  readonly failStrategies: Readonly<Record<"authorization" | "rateLimit" | "router" | "telemetry", FailStrategy>>;
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
  extraStatTags: Object.freeze([]),
  engine: "wasm",
  pluginTrust: Object.freeze([]),
  // Whoever may not come in must not come in by a crash, nor be sent astray; limits and metrics that fail are no reason
  // to refuse.
  failStrategies: Object.freeze({
    authorization: "FAIL_CLOSE",
    rateLimit: "FAIL_OPEN",
    router: "FAIL_CLOSE",
    telemetry: "FAIL_OPEN",
  }),
});

/** One state of the mesh. Objects that did not change are the same references in the next state. */
export interface World {
  /** Counts up by one with every state that differs from the one before. */
  readonly revision: number;
  readonly mesh: MeshConfig;
  /**
   * Oldest first: creation time (missing = oldest), then name, then namespace. The same array while no object of the
   * kind changed.
   */
  list<K extends Kind>(kind: K): readonly MeshObject<K>[];
  /** `namespace` is "" for cluster-scoped kinds. */
  get<K extends Kind>(kind: K, namespace: string, name: string): MeshObject<K> | undefined;
  /**
   * What else configuration is made from, beside the objects (see `withCompanion`); undefined where nobody put
   * anything.
   */
  readonly companion: object | undefined;
}

/** A World with what tells it from others: what `derive.ts` goes by. */
export interface WorldState extends World {
  /** The same for all states that follow from one another. */
  readonly lineage: object;
  /**
   * A number for each kind's list, by the kind's place in `allKinds`, then for the settings and the companion: equal
   * exactly where these are the same.
   */
  readonly stamp: readonly number[];
}

/** The places of the settings and of the companion in a stamp. */
export const MESH_AT = allKinds.length;
export const COMPANION_AT = allKinds.length + 1;
const placeOf: Readonly<Record<string, number>> = Object.fromEntries(allKinds.map((kind, index) => [kind, index]));

/** Returns a kind's place in a stamp. */
export function stampPlace(kind: Kind): number {
  return placeOf[kind] ?? 0;
}

/** The objects of one kind: sorted, and found by `namespace/name`. */
interface KindShelf {
  readonly sorted: readonly MeshObject[];
  readonly byName: ReadonlyMap<string, MeshObject>;
}

const emptyShelf: KindShelf = { sorted: Object.freeze([]), byName: new Map() };

/** All that a state is made of. */
interface WorldParts {
  readonly revision: number;
  readonly mesh: MeshConfig;
  readonly shelves: ReadonlyMap<Kind, KindShelf>;
  readonly lineage: object;
  readonly companion: object | undefined;
}

const partsOf = new WeakMap<World, WorldParts>();

/**
 * Returns the state that holds exactly `objects` (at most one per kind, namespace and name; a later one replaces an
 * earlier). Kinds whose objects are the same references as in `previous` keep their arrays.
 */
export function createWorld(
  objects: Iterable<MeshObject>,
  mesh: MeshConfig = defaultMeshConfig,
  revision = 1,
  previous?: World,
): World {
  const byKind = new Map<Kind, Map<string, MeshObject>>();
  for (const object of objects) {
    let names = byKind.get(object.kind);
    if (names === undefined) byKind.set(object.kind, (names = new Map()));
    names.set(nameOf(object), object);
  }
  const shelves = new Map<Kind, KindShelf>();
  for (const [kind, byName] of byKind) {
    const sorted = [...byName.values()].sort(compareByAge);
    const before = previous?.list(kind) ?? [];
    const same = before.length === sorted.length && sorted.every((object, index) => object === before[index]);
    shelves.set(kind, { sorted: same ? before : Object.freeze(sorted), byName });
  }
  return worldOf({
    revision,
    mesh,
    shelves,
    lineage: (previous && partsOf.get(previous)?.lineage) ?? {},
    companion: undefined,
  });
}

/** What became of one object: `now` undefined means that it is gone. */
export interface ObjectChange {
  readonly before: MeshObject | undefined;
  readonly now: MeshObject | undefined;
}

/**
 * Returns the state after `previous` in which these objects, and these only, changed. Takes time in proportion to the
 * changed kinds.
 */
export function changeWorld(previous: World, changes: Iterable<ObjectChange>, mesh: MeshConfig): World {
  const parts = partsOf.get(previous);
  if (parts === undefined) throw new RangeError("not a World of createWorld");
  const byKind = new Map<Kind, ObjectChange[]>();
  for (const change of changes) {
    const kind = (change.now ?? change.before)?.kind;
    if (kind === undefined) continue;
    const same = byKind.get(kind);
    if (same === undefined) byKind.set(kind, [change]);
    else same.push(change);
  }
  const shelves = new Map(parts.shelves);
  for (const [kind, ofKind] of byKind) shelves.set(kind, changeShelf(shelves.get(kind) ?? emptyShelf, ofKind));
  return worldOf({ ...parts, revision: parts.revision + 1, mesh, shelves });
}

function changeShelf({ sorted, byName }: KindShelf, changes: readonly ObjectChange[]): KindShelf {
  const names = new Map(byName);
  const leaving = new Set<MeshObject>();
  for (const { before, now } of changes) {
    if (before !== undefined) leaving.add(before);
    if (before !== undefined && now === undefined) names.delete(nameOf(before));
    if (now !== undefined) names.set(nameOf(now), now);
  }
  const coming = changes.flatMap(({ now }) => now ?? []).sort(compareByAge);
  return {
    sorted: Object.freeze(
      merged(
        sorted.filter((object) => !leaving.has(object)),
        coming,
      ),
    ),
    byName: names,
  };
}

/** Returns two sorted lists as one. */
function merged(left: readonly MeshObject[], right: readonly MeshObject[]): MeshObject[] {
  const all: MeshObject[] = [];
  let at = 0;
  for (const object of right) {
    while (at < left.length && compareByAge(left[at]!, object) <= 0) all.push(left[at++]!);
    all.push(object);
  }
  for (; at < left.length; at++) all.push(left[at]!);
  return all;
}

/**
 * Returns the same state with a companion beside it: an input of configuration that is no object of the mesh, told
 * apart by reference.
 */
export function withCompanion(world: World, companion: object): World {
  const parts = partsOf.get(world);
  if (parts === undefined) throw new RangeError("not a World of createWorld");
  return parts.companion === companion ? world : worldOf({ ...parts, companion });
}

function worldOf(parts: WorldParts): World {
  const { revision, mesh, shelves, lineage, companion } = parts;
  const shelf = (kind: Kind) => shelves.get(kind) ?? emptyShelf;
  const stamp = [
    ...allKinds.map((kind) => stampOf(shelf(kind).sorted)),
    stampOf(mesh),
    companion === undefined ? 0 : stampOf(companion),
  ];
  const world: WorldState = Object.freeze({
    revision,
    mesh,
    companion,
    lineage,
    stamp,
    // A shelf of kind K holds objects of kind K only: they were put there by their own `kind`.
    list: <K extends Kind>(kind: K) => shelf(kind).sorted as readonly MeshObject<K>[],
    get: <K extends Kind>(kind: K, namespace: string, name: string) =>
      shelf(kind).byName.get(`${namespace}/${name}`) as MeshObject<K> | undefined,
  });
  partsOf.set(world, parts);
  return world;
}

const stamps = new WeakMap<object, number>();
let lastStamp = 0;

/** A number that no other object has or had. */
function stampOf(content: object): number {
  let stamp = stamps.get(content);
  if (stamp === undefined) stamps.set(content, (stamp = ++lastStamp));
  return stamp;
}

function nameOf({ metadata }: MeshObject): string {
  return `${metadata.namespace}/${metadata.name}`;
}
