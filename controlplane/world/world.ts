// What the rest of the control plane sees of the mesh: one immutable state of every accepted object.
import { allKinds, type Kind } from "../model/kinds.ts";
import type { LocalitySettingSpec, ZoneSettingSpec } from "../model/kinds/destination-rule.ts";
import { compareByAge, type MeshObject } from "../model/object.ts";
import type { RequestForm } from "../model/request-form.ts";
import type { PluginTrustRule } from "../model/plugin-trust.ts";
import { Answers } from "./answers.ts";
import type { Readable, Source } from "./source.ts";
import { numberOf, Stamp } from "./stamp.ts";
import { WorldReading } from "./world-reading.ts";

/**
 * What becomes of requests when a function's module fails: they pass, or they are refused until it was started anew.
 */
export type FailStrategy = "FAIL_OPEN" | "FAIL_CLOSE";

/** The mesh-wide settings with every default filled in. */
export interface MeshConfig extends RequestForm {
  readonly trustDomain: string;
  /** Other trust domains whose identities policies take for the mesh's own. */
  readonly trustDomainAliases: readonly string[];
  readonly rootNamespace: string;
  readonly outboundTrafficPolicy: "ALLOW_ANY" | "ALLOW_ANY_DYNAMIC_DNS" | "REGISTRY_ONLY";
  /** A path, or "" for no access log. */
  readonly accessLogFile: string;
  /** Envoy's format string; "" means the default format. */
  readonly accessLogFormat: string;
  readonly accessLogEncoding: "TEXT" | "JSON";
  readonly enableAutoMtls: boolean;
  readonly connectTimeoutMs: number;
  /** 0: for ever. */
  readonly protocolDetectionTimeoutMs: number;
  /** For ports of which no DestinationRule says how localities are to be treated. */
  readonly localityLbSetting?: LocalitySettingSpec;
  readonly zoneAwareLbSetting?: ZoneSettingSpec;
  readonly defaultConcurrency?: number;
  /** Variables of the environment in which proxies are started. */
  readonly proxyVariables?: Readonly<Record<string, string>>;
  /** What proxies are injected with, where their pods do not say otherwise. */
  readonly injectionDefaults?: InjectionDefaults;
  /** Labels beyond Istio's standard ones that proxies' bootstraps declare. */
  readonly extraStatTags: readonly string[];
  /** Whether policies run in the Wasm filters or in Envoy's native ones. */
  readonly engine: "wasm" | "native";
  /** Whose plugins may run, and what they may use. */
  readonly pluginTrust: readonly PluginTrustRule[];
  readonly failStrategies: Readonly<Record<"authorization" | "rateLimit" | "router" | "telemetry", FailStrategy>>;
}

/** Under the names of ProxyConfig. */
export interface InjectionDefaults {
  readonly interceptionMode?: string | undefined;
  readonly discoveryAddress?: string | undefined;
  readonly holdApplicationUntilProxyStarts?: boolean | undefined;
}

/** The settings of a mesh whose users said nothing. */
export const defaultMeshConfig: MeshConfig = Object.freeze({
  trustDomain: "cluster.local",
  trustDomainAliases: Object.freeze([]),
  rootNamespace: "istio-system",
  outboundTrafficPolicy: "ALLOW_ANY",
  accessLogFile: "/dev/stdout",
  accessLogFormat: "",
  accessLogEncoding: "TEXT",
  enableAutoMtls: true,
  connectTimeoutMs: 10_000,
  protocolDetectionTimeoutMs: 1_000,
  extraStatTags: Object.freeze([]),
  pathNormalization: "BASE",
  headersWithUnderscoresAction: "ALLOW",
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
export interface World extends Readable<World> {
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
  readonly answers: Answers;
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
    answers: previous?.source.answers ?? new Answers(),
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

function worldOf(parts: WorldParts): World {
  const { revision, mesh, shelves, answers } = parts;
  const shelf = (kind: Kind) => shelves.get(kind) ?? emptyShelf;
  const world: World = Object.freeze({
    revision,
    mesh,
    recorder: undefined,
    get source() {
      return source;
    },
    // A shelf of kind K holds objects of kind K only: they were put there by their own `kind`.
    list: <K extends Kind>(kind: K) => shelf(kind).sorted as readonly MeshObject<K>[],
    get: <K extends Kind>(kind: K, namespace: string, name: string) =>
      shelf(kind).byName.get(`${namespace}/${name}`) as MeshObject<K> | undefined,
  });
  // A number for each kind's list, by the kind's place in `allKinds`, then for the settings.
  const stamp = new Stamp([...allKinds.map((kind) => numberOf(shelf(kind).sorted)), numberOf(mesh)]);
  const source: Source<World> = {
    state: world,
    answers,
    stamp,
    stamps: [stamp],
    readBy: (recorder) => new WorldReading(world, recorder),
  };
  partsOf.set(world, parts);
  return world;
}

function nameOf({ metadata }: MeshObject): string {
  return `${metadata.namespace}/${metadata.name}`;
}
