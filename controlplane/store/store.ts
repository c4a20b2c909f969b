// Consumes: batches of documents from sources.
// Produces: the accepted objects, each at its last good version, as one immutable World, and what is wrong with the
// rest.
// Never does: read files, hold back good objects because of bad ones, or change an object that others may hold.
import type { SourceBatch } from "../model/document.ts";
import { type MeshObject, objectKey, refOf } from "../model/object.ts";
import { unitOf } from "../model/origin.ts";
import { compareViolations } from "../validate/violation.ts";
import { createEmptiedSource, type KeptSource } from "./emptied-source.ts";
import { type Contribution, contributionOf, judgments, type Verdicts } from "./contribution.ts";
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
}

/** Returns a store without documents: it holds nothing until sources tell what there is. */
export function createStore(options: StoreOptions): Store {
  /** By source, then by unit. */
  const contributions = new Map<string, Map<string, Contribution>>();
  const inForce = createObjectsInForce();
  const notices = new Map<string, readonly StoreViolation[]>();
  const listeners = new Set<(update: StoreUpdate) => void>();
  const remembered = rememberByUnit(options.remembered ?? []);
  const emptied = createEmptiedSource(options.keeps);
  const verdicts: Verdicts = new WeakMap();
  /** What broken documents fall back to; from the first publication on, what is in force. */
  let lastGood: ReadonlyMap<string, MeshObject> = new Map(
    options.remembered?.map((object) => [objectKey(refOf(object)), object]),
  );
  let world = createWorld([], undefined, 0);
  let violations: readonly StoreViolation[] = [];

  function takeIn(batch: SourceBatch): void {
    const known = contributionsOf(batch);
    const put = (unit: string, contribution: Contribution | undefined): void => {
      if (contribution === undefined) known.delete(unit);
      else known.set(unit, contribution);
      inForce.put(batch.source, unit, contribution);
    };
    for (const [unit, held] of emptied.release(batch)) if (known.get(unit) === held) put(unit, undefined);
    for (const unit of batch.source === options.keeps?.name && emptied.isHolding() ? [] : batch.units) {
      const before = known.get(unit.id) ?? remembered.get(unit.id);
      put(unit.id, contributionOf(unit, { before, lastGood, strict: options.strict, verdicts }));
      remembered.delete(unit.id);
    }
    notices.set(
      batch.source,
      batch.notices.map((notice) => ({ ...notice, severity: "error", object: "", field: "", servingLastGood: true })),
    );
  }

  /** What the source's units contribute; at its first word, what is held of an earlier run. */
  function contributionsOf(batch: SourceBatch): Map<string, Contribution> {
    let known = contributions.get(batch.source);
    if (known === undefined) {
      contributions.set(batch.source, (known = new Map(emptied.hold(batch, remembered))));
      for (const [unit, held] of known) inForce.put(batch.source, unit, held);
    }
    return known;
  }

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
      takeIn(batch);
      publish();
    },
    ahead: (batch) =>
      batch.units.flatMap(({ id, documents }) =>
        judgments(documents, { before: contributions.get(batch.source)?.get(id), strict: options.strict, verdicts }),
      ),
    world: () => world,
    violations: () => violations,
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/** What each unit held, as if it had been read and found good. */
function rememberByUnit(objects: readonly MeshObject[]): Map<string, Contribution> {
  const byUnit = new Map<string, Contribution>();
  for (const object of objects) {
    const id = unitOf(object.origin);
    const defined = new Map(byUnit.get(id)?.defined).set(objectKey(refOf(object)), object);
    byUnit.set(id, { id, judged: [], defined, held: new Map(), violations: [] });
  }
  return byUnit;
}
