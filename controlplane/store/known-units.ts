// What is known of the units of all sources: what each contributes, and what an earlier run remembered of those that
// nothing was heard of yet.
import type { SourceBatch, SourceDocument } from "../model/document.ts";
import { type MeshObject, objectKey, refOf } from "../model/object.ts";
import { unitOf } from "../model/origin.ts";
import { type Contribution, contributionOf, judgments, type Verdicts } from "./contribution.ts";
import type { Validated } from "../validate/document.ts";
import type { EmptiedSource } from "./emptied-source.ts";
import type { ObjectsInForce } from "./objects-in-force.ts";

export interface KnownUnitsOptions {
  /** Deprecated aliases are errors. */
  readonly strict: boolean;
  /** What was in force when an earlier run ended. */
  readonly remembered: readonly MeshObject[];
  readonly emptied: EmptiedSource;
  /** Where contributions go. */
  readonly inForce: Pick<ObjectsInForce, "put">;
  /** Told of each document that was judged anew. */
  readonly judged?: ((document: SourceDocument, verdict: Validated["kind"]) => void) | undefined;
}

export interface KnownUnits {
  /** Takes a batch in; `lastGood` is what broken documents fall back to, by key. */
  take(batch: SourceBatch, lastGood: ReadonlyMap<string, MeshObject>): void;
  /** Returns most of the work that taking this batch in will be, as tasks that can be done before, in any number. */
  ahead(batch: SourceBatch): readonly (() => void)[];
}

/** Returns the bookkeeping of units, of which none was heard of. */
export function createKnownUnits({ strict, remembered, emptied, inForce, judged }: KnownUnitsOptions): KnownUnits {
  /** By source, then by unit. */
  const contributions = new Map<string, Map<string, Contribution>>();
  const unheard = rememberByUnit(remembered);
  const verdicts: Verdicts = new WeakMap();

  /** What the source's units contribute; at its first word, what is held of an earlier run. */
  function contributionsOf(batch: SourceBatch): Map<string, Contribution> {
    let known = contributions.get(batch.source);
    if (known === undefined) {
      contributions.set(batch.source, (known = new Map(emptied.hold(batch, unheard))));
      for (const [unit, held] of known) inForce.put(batch.source, unit, held);
    }
    return known;
  }

  return {
    take(batch, lastGood) {
      const known = contributionsOf(batch);
      const put = (unit: string, contribution: Contribution | undefined): void => {
        if (contribution === undefined) known.delete(unit);
        else known.set(unit, contribution);
        inForce.put(batch.source, unit, contribution);
      };
      for (const [unit, held] of emptied.release(batch)) if (known.get(unit) === held) put(unit, undefined);
      for (const unit of emptied.isHolding(batch.source) ? [] : batch.units) {
        const before = known.get(unit.id) ?? unheard.get(unit.id);
        const now = contributionOf(unit, { before, lastGood, strict, verdicts });
        put(unit.id, now);
        for (const { document, validated } of judgedAnew(now, before)) judged?.(document, validated.kind);
        unheard.delete(unit.id);
      }
    },
    ahead: ({ source, units }) =>
      units.flatMap(({ id, documents }) =>
        judgments(documents, { before: contributions.get(source)?.get(id), strict, verdicts }),
      ),
  };
}

/** What keeps its verdict is the very same. */
function judgedAnew(now: Contribution | undefined, before: Contribution | undefined): Contribution["judged"] {
  const known = new Set(before?.judged);
  return (now?.judged ?? []).filter((each) => !known.has(each));
}

/** What each unit held, as if it had been read and found good. */
function rememberByUnit(objects: readonly MeshObject[]): Map<string, Contribution> {
  const byUnit = new Map<string, Contribution>();
  for (const object of objects) {
    const id = unitOf(object.origin);
    const defined = new Map(byUnit.get(id)?.defined).set(objectKey(refOf(object)), object);
    byUnit.set(id, { id, judged: [], defined, held: new Map(), protective: new Set(), violations: [] });
  }
  return byUnit;
}
