// One set of objects out of what all units of all sources contribute, brought up to date unit by unit. Pure.
import { compareText, haveSameContent, type MeshObject } from "../model/object.ts";
import { describeOrigin } from "../model/origin.ts";
import type { Violation } from "../validate/violation.ts";
import type { Contribution } from "./contribution.ts";
import { isClosedRule, isProtective, type Protection } from "./protection.ts";
import type { ObjectChange } from "../world/world.ts";

/** A violation with whether an earlier version of what it is about is in force. */
export interface StoreViolation extends Violation {
  readonly servingLastGood: boolean;
  /** Of an error of an object that protects something. */
  readonly protection?: Protection;
}

/**
 * All contributions (by source, then by unit) as one. Where units define the same object, the first by source and id
 * counts and others that say something else are reported; what is only held gives way to what is defined anywhere.
 */
export interface ObjectsInForce {
  /** What a unit contributes from now on, in the place of what it did; undefined: nothing. */
  put(source: string, unit: string, contribution: Contribution | undefined): void;
  /** Returns which objects in force are others since the last call; takes time in proportion to what was put. */
  takeChanges(): readonly ObjectChange[];
  /** The objects in force by key, as of the last `takeChanges`: changes with it. */
  readonly objects: ReadonlyMap<string, MeshObject>;
  /** Everything wrong with the units. */
  violations(): readonly StoreViolation[];
}

/** One unit's contribution at its place in the order. */
interface Placed {
  readonly source: string;
  readonly contribution: Contribution;
}

/** Returns an empty set. */
export function createObjectsInForce(): ObjectsInForce {
  const placed = new Map<string, Placed>();
  const definers = createOwners(),
    holders = createOwners();
  /** Units with something wrong: few. */
  const complaining = new Set<Placed>();
  const touched = new Set<string>();
  const objects = new Map<string, MeshObject>();

  const each = (one: Placed, what: (owners: Owners, key: string, one: Placed) => void): void => {
    for (const key of one.contribution.defined.keys()) what(definers, key, one);
    for (const key of one.contribution.held.keys()) what(holders, key, one);
  };
  const inForce = (key: string): MeshObject | undefined =>
    definers.first(key)?.contribution.defined.get(key) ?? holders.first(key)?.contribution.held.get(key);

  return {
    objects,
    put(source, unit, contribution) {
      const place = `${source}\0${unit}`;
      const before = placed.get(place);
      if (before !== undefined) {
        each(before, (owners, key) => {
          owners.remove(key, before);
          touched.add(key);
        });
        complaining.delete(before);
        placed.delete(place);
      }
      if (contribution === undefined) return;
      const now: Placed = { source, contribution };
      each(now, (owners, key) => {
        owners.add(key, now);
        touched.add(key);
      });
      if (contribution.violations.length > 0) complaining.add(now);
      placed.set(place, now);
    },
    takeChanges() {
      const changes: ObjectChange[] = [];
      for (const key of touched) {
        const before = objects.get(key),
          now = inForce(key);
        if (before === now) continue;
        changes.push({ before, now });
        if (now === undefined) objects.delete(key);
        else objects.set(key, now);
      }
      touched.clear();
      return changes;
    },
    violations: () => [
      ...[...definers.contested].flatMap((key) => rivalsOf(key, definers.all(key))),
      ...[...complaining].sort(comparePlaces).flatMap(({ contribution }) => violationsOf(contribution, definers)),
    ],
  };
}

/** For each key the units that have it, in their order. */
interface Owners {
  add(key: string, one: Placed): void;
  remove(key: string, one: Placed): void;
  first(key: string): Placed | undefined;
  all(key: string): readonly Placed[];
  /** Keys that more than one unit has. */
  readonly contested: ReadonlySet<string>;
}

function createOwners(): Owners {
  const byKey = new Map<string, readonly Placed[]>();
  const contested = new Set<string>();
  const set = (key: string, owners: readonly Placed[]): void => {
    if (owners.length === 0) byKey.delete(key);
    else byKey.set(key, owners);
    if (owners.length > 1) contested.add(key);
    else contested.delete(key);
  };
  const all = (key: string): readonly Placed[] => byKey.get(key) ?? [];
  return {
    all,
    contested,
    add: (key, one) => set(key, [...all(key), one].sort(comparePlaces)),
    remove: (key, one) =>
      set(
        key,
        all(key).filter((other) => other !== one),
      ),
    first: (key) => byKey.get(key)?.[0],
  };
}

function comparePlaces(a: Placed, b: Placed): number {
  return compareText(a.source, b.source) || compareText(a.contribution.id, b.contribution.id);
}

function rivalsOf(key: string, owners: readonly Placed[]): readonly StoreViolation[] {
  const [first, ...others] = owners.flatMap(({ contribution }) => contribution.defined.get(key) ?? []);
  return first === undefined
    ? []
    : others.filter((other) => !haveSameContent(first, other)).map((other) => duplicate(key, other, first));
}

function duplicate(key: string, object: MeshObject, first: MeshObject): StoreViolation {
  return {
    severity: "error",
    origin: { ...object.origin },
    object: key,
    field: "metadata.name",
    message: `is defined in ${describeOrigin(first.origin, "line")} already: that one counts`,
    servingLastGood: false,
    ...(isProtective(object) && { protection: "not enforced" }),
  };
}

function violationsOf(contribution: Contribution, definers: Owners): readonly StoreViolation[] {
  const isDefined = (key: string): boolean => definers.first(key) !== undefined;
  return contribution.violations.map((violation) => ({
    ...violation,
    servingLastGood: servesLastGood(violation, contribution, isDefined),
    ...protectionOf(violation, contribution),
  }));
}

function servesLastGood(violation: Violation, { held }: Contribution, isDefined: (key: string) => boolean): boolean {
  if (violation.severity === "warning") return false;
  const isServed = (key: string, object: MeshObject): boolean => !isDefined(key) && !isClosedRule(object);
  const isNamed = violation.object !== "" && !violation.object.split("/").includes("?");
  if (!isNamed) return [...held].some(([key, object]) => isServed(key, object));
  const object = held.get(violation.object);
  return object !== undefined && isServed(violation.object, object);
}

function protectionOf(
  { severity, object }: Violation,
  { held, protective }: Contribution,
): Pick<StoreViolation, "protection"> {
  if (severity === "warning" || !protective.has(object)) return {};
  const instead = held.get(object);
  return { protection: instead !== undefined && isClosedRule(instead) ? "traffic refused" : "not enforced" };
}
