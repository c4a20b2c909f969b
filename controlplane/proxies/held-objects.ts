// Consumes: the World of accepted objects as it changes, and which of them no Envoy loads.
// Produces: the World without what those contribute: each at its last good version, or left out; what is wrong with
// them, as violations of theirs.
// Never does: hold anything else back; keep an object back once it says something else.
import type { Kind } from "../model/kinds.ts";
import { type MeshObject, objectKey, refOf } from "../model/object.ts";
import { type Cell, createCell } from "../stages/cell.ts";
import { meshConfigOf } from "../store/mesh-config.ts";
import type { Remembered } from "../store/accepted-objects.ts";
import { closedRule, isClosedRule, isProtective } from "../store/protection.ts";
import type { StoreViolation } from "../store/objects-in-force.ts";
import { changeWorld, type ObjectChange, type World } from "../world/world.ts";

/** An object that Envoy refuses, and what is in force in its place. */
export interface HeldObject {
  readonly object: MeshObject;
  /** Its last good version; undefined: there is none, and it is left out, or its traffic is refused. */
  readonly instead: MeshObject | undefined;
  /** What Envoy says, in one line. */
  readonly reason: string;
}

/** An object that is new or another since some change, and what it was before, the last version first. */
export interface ChangedObject {
  readonly object: MeshObject;
  readonly before: readonly MeshObject[];
}

/** Earlier versions of an object that it may go back to: one that is written often is refused only a moment later. */
export const VERSIONS_BACK = 3;

export interface HeldObjects {
  readonly world: Cell<World>;
  readonly violations: Cell<readonly StoreViolation[]>;
  /**
   * Holds back objects as long as they say what they say now; those that were changed meanwhile are left alone. One that
   * is held already has another reason from now on.
   */
  hold(objects: readonly HeldObject[]): void;
  /** Whether this very object is held back. */
  holds(object: MeshObject): boolean;
  /** Brings these back as they are: what was wrong may be so no more. */
  release(objects: readonly MeshObject[]): void;
  /** Of what has changed the versions that were in force before. */
  earlier(): readonly MeshObject[];
  /** How often objects of the World became other. */
  changes(): number;
  /** What became other in the last `count` changes of the World; those of the first are all there is. */
  lately(count: number): readonly ChangedObject[];
}

/** What can make Envoy refuse something, those first that are blamed only when nobody else can be. */
const BLAMED_LAST_TO_FIRST: readonly Kind[] = [
  "PeerAuthentication",
  "AuthorizationPolicy",
  "Service",
  "Gateway",
  "ConfigMap",
  "ServiceEntry",
  "WorkloadEntry",
  "Sidecar",
  "RateLimitPolicy",
  "QuotaSpec",
  "QuotaSpecBinding",
  "WasmPlugin",
  "DestinationRule",
  "VirtualService",
  "Telemetry",
];

/**
 * Returns what follows `accepted`: nothing is held back yet. `remembered` is what an object may go back to that is
 * refused at the start.
 */
export function createHeldObjects(accepted: Cell<World>, remembered: Remembered = { objects: [] }): HeldObjects {
  const held = new Map<string, HeldObject>();
  const before = new Map<string, readonly MeshObject[]>();
  const atLast = new Map<string, readonly MeshObject[]>();
  for (const object of [...remembered.objects, ...(remembered.earlier ?? [])])
    atLast.set(keyOf(object), [...(atLast.get(keyOf(object)) ?? []), object]);
  const changedAt = new Map<string, number>();
  let changes = 0;
  let last: World | undefined;
  const world = createCell(accepted.read());
  const violations = createCell<readonly StoreViolation[]>([]);

  const tell = (): void => {
    violations.set([...held.values()].map(violationOf));
    world.set(withHeld(accepted.read(), [...held.values()]));
  };
  const follow = (now: World): void => {
    const changed = changedObjects(last, now);
    last = now;
    if (changed.length > 0) changes++;
    for (const { key, was, is } of changed) {
      // A version that was refused is nothing to go back to.
      const refused = held.get(key)?.object;
      const versions = [...(was ? [was] : []), ...(before.get(key) ?? atLast.get(key) ?? [])];
      const good = versions.filter((version) => version !== refused && version !== is).slice(0, VERSIONS_BACK);
      atLast.delete(key);
      held.delete(key);
      if (is === undefined) {
        before.delete(key);
        changedAt.delete(key);
      } else {
        before.set(key, good);
        changedAt.set(key, changes);
      }
    }
    tell();
  };
  follow(accepted.read());
  accepted.subscribe(follow);
  return {
    world,
    violations,
    earlier: () => [...before.values()].flat(),
    holds: (object) => held.get(keyOf(object))?.object === object,
    release(objects) {
      for (const object of objects) if (held.get(keyOf(object))?.object === object) held.delete(keyOf(object));
      tell();
    },
    changes: () => changes,
    hold(objects) {
      const now = accepted.read();
      for (const one of objects) {
        const known = held.get(keyOf(one.object));
        if (known?.object === one.object) held.set(keyOf(one.object), { ...known, reason: one.reason });
        else if (findIn(now, one.object) === one.object)
          held.set(keyOf(one.object), { ...one, instead: one.instead ?? closedInsteadOf(one.object) });
      }
      tell();
    },
    lately: (count) =>
      BLAMED_LAST_TO_FIRST.flatMap((kind) => accepted.read().list(kind) as readonly MeshObject[])
        .filter((object) => (changedAt.get(keyOf(object)) ?? 0) > changes - count)
        .map((object) => ({ object, before: before.get(keyOf(object)) ?? [] })),
  };
}

/** Returns the World with others in the place of these objects. */
export function withHeld(world: World, held: readonly Pick<HeldObject, "object" | "instead">[]): World {
  if (held.length === 0) return world;
  const changes = held.map(({ object, instead }): ObjectChange => ({ before: object, now: instead }));
  const settings = held.find(({ object }) => keyOf(object) === "ConfigMap/istio-system/istio");
  const mesh = settings === undefined ? world.mesh : meshConfigOf(onlyOf(settings.instead), world.mesh);
  return changeWorld(world, changes, mesh);
}

function onlyOf(object: MeshObject | undefined): ReadonlyMap<string, MeshObject> {
  return new Map(object === undefined ? [] : [[keyOf(object), object]]);
}

function keyOf(object: MeshObject): string {
  return objectKey(refOf(object));
}

function findIn(world: World, { kind, metadata }: MeshObject): MeshObject | undefined {
  return world.get(kind, metadata.namespace, metadata.name);
}

interface Difference {
  readonly key: string;
  readonly was: MeshObject | undefined;
  readonly is: MeshObject | undefined;
}

function changedObjects(before: World | undefined, now: World): readonly Difference[] {
  return BLAMED_LAST_TO_FIRST.flatMap((kind): readonly Difference[] => {
    const old: readonly MeshObject[] = before?.list(kind) ?? [],
      fresh: readonly MeshObject[] = now.list(kind);
    if (old === fresh) return [];
    const came = fresh
      .map((is) => ({ key: keyOf(is), was: before && findIn(before, is), is }))
      .filter(({ was, is }) => was !== is);
    const went = old
      .filter((was) => findIn(now, was) === undefined)
      .map((was) => ({ key: keyOf(was), was, is: undefined }));
    return [...came, ...went];
  });
}

/** Without it its traffic would go in plaintext. */
function closedInsteadOf(object: MeshObject): MeshObject | undefined {
  return closedRule(refOf(object), object.spec, object.origin);
}

function violationOf({ object, instead, reason }: HeldObject): StoreViolation {
  const isClosed = instead !== undefined && isClosedRule(instead);
  const protection = isClosed ? "traffic refused" : "not enforced";
  return {
    severity: "error",
    origin: { ...object.origin },
    object: keyOf(object),
    field: "",
    message: `Envoy refuses what it says: ${reason}${instead === undefined ? " (it is left out)" : ""}`,
    servingLastGood: instead !== undefined && !isClosed,
    ...(isProtective(object) && { protection }),
  };
}
