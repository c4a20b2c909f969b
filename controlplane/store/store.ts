// Consumes: batches of documents from sources.
// Produces: the accepted objects, each at its last good version, as one immutable World, and what is wrong with the
// rest.
// Never does: read files, hold back good objects because of bad ones, or change an object that others may hold.
import type { SourceBatch, SourceProblem } from "../model/document.ts";
import { type MeshObject, objectKey, refOf } from "../model/object.ts";
import { compareViolations } from "../validate/violation.ts";
import { createEmptiedSource, type KeptSource } from "./emptied-source.ts";
import { createKnownUnits, type KnownUnitsOptions } from "./known-units.ts";
import { createObjectsInForce, type StoreViolation } from "./objects-in-force.ts";
import { meshConfigOf } from "./mesh-config.ts";
import { changeWorld, createWorld, type World } from "../world/world.ts";

/** What listeners are told after a batch. */
export interface StoreUpdate {
  readonly world: World;
  /** False if only violations changed: then `world` is the one before. */
  readonly worldChanged: boolean;
  readonly violations: readonly StoreViolation[];
}

/** The mesh's accepted objects. */
export interface Store {
  /** Takes a batch in; listeners are called at most once, before it returns. */
  apply(batch: SourceBatch): void;
  /**
   * Returns most of the work that `apply` will have with this batch as tasks that can be done before, in any number:
   * nothing is different after them.
   */
  ahead(batch: SourceBatch): readonly (() => void)[];
  world(): World;
  /** Everything wrong now, by origin. */
  violations(): readonly StoreViolation[];
  /** Calls `listener` after every batch that changed something; the returned function ends that. */
  subscribe(listener: (update: StoreUpdate) => void): () => void;
}

export interface StoreOptions {
  /** Deprecated aliases are errors. */
  readonly strict: boolean;
  /** What was in force when an earlier run ended: the last good versions of what cannot be read at first. */
  readonly remembered?: readonly MeshObject[];
  /** A source whose remembered objects also stay in force while it tells of no document at all. */
  readonly keeps?: KeptSource;
  /** Told of each document that was judged anew. */
  readonly judged?: KnownUnitsOptions["judged"];
}

/** Returns a store without documents: it holds nothing until sources tell what there is. */
export function createStore({ strict, remembered = [], keeps, judged }: StoreOptions): Store {
  const inForce = createObjectsInForce();
  const emptied = createEmptiedSource(keeps);
  const units = createKnownUnits({ strict, remembered, emptied, inForce, judged });
  /** By source. */
  const notices = new Map<string, readonly StoreViolation[]>();
  const listeners = new Set<(update: StoreUpdate) => void>();
  /** What broken documents fall back to; from the first publication on, what is in force. */
  let lastGood: ReadonlyMap<string, MeshObject> = new Map(
    remembered.map((object) => [objectKey(refOf(object)), object]),
  );
  let world = createWorld([], undefined, 0);
  let violations: readonly StoreViolation[] = [];

  function publish(): void {
    const changes = inForce.takeChanges();
    const next = [...inForce.violations(), ...[...notices.values()].flat(), ...emptied.violations()].sort(
      compareViolations,
    );
    const worldChanged = changes.length > 0;
    const violationsChanged = JSON.stringify(next) !== JSON.stringify(violations);
    if (worldChanged) world = changeWorld(world, changes, meshConfigOf(inForce.objects, world.mesh));
    lastGood = inForce.objects;
    violations = next;
    if (!worldChanged && !violationsChanged) return;
    for (const listener of [...listeners]) listener({ world, worldChanged, violations });
  }

  return {
    apply(batch) {
      units.take(batch, lastGood);
      notices.set(batch.source, batch.notices.map(violationOf));
      publish();
    },
    ahead: units.ahead,
    world: () => world,
    violations: () => violations,
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

function violationOf(notice: SourceProblem): StoreViolation {
  return { ...notice, severity: "error", object: "", field: "", servingLastGood: true };
}
