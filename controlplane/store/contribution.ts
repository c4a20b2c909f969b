// What one unit of a source contributes: objects its documents define, and objects it held before and may not have
// meant to lose. Pure.
import type { SourceDocument, SourceUnit } from "../model/document.ts";
import { haveSameContent, type MeshObject, objectKey, type ObjectRef, refOf } from "../model/object.ts";
import { describeOrigin, haveSameOrigin, type Origin, unitOf } from "../model/origin.ts";
import { completeRef, type PartialRef, validateDocument, type Validated } from "../validate/document.ts";
import type { Violation } from "../validate/violation.ts";
import { closedRule, isClosedRule, isProtective } from "./protection.ts";

/** A document with what validation made of it. */
interface JudgedDocument {
  readonly document: SourceDocument;
  readonly validated: Validated;
}

/** What the store keeps of a unit. */
export interface Contribution {
  /** As in SourceUnit. */
  readonly id: string;
  readonly judged: readonly JudgedDocument[];
  /** Objects that the unit's documents define now, by key. */
  readonly defined: ReadonlyMap<string, MeshObject>;
  /**
   * Last good versions of objects whose documents are invalid, or may be missing by accident; and what keeps closed
   * whose traffic nothing would encrypt.
   */
  readonly held: ReadonlyMap<string, MeshObject>;
  /** The objects that protect something, of whatever shape, as violations name them. */
  readonly protective: ReadonlySet<string>;
  readonly violations: readonly Violation[];
}

/** What a unit is read against. */
export interface ContributionContext {
  readonly before: Contribution | undefined;
  /** Every object in force, by key. */
  readonly lastGood: ReadonlyMap<string, MeshObject>;
  readonly strict: boolean;
  /** What was found of documents before they are read. */
  readonly verdicts: Verdicts;
}

/** What validation made of documents, by document. */
export type Verdicts = WeakMap<SourceDocument, Validated>;

/** Returns what a unit contributes now; undefined if it contributes and says nothing. */
export function contributionOf(unit: SourceUnit, context: ContributionContext): Contribution | undefined {
  const judged = judgeDocuments(unit.documents, context);
  const defined = new Map<string, MeshObject>();
  const violations: Violation[] = unit.problems.map((problem) => ({
    ...problem,
    severity: "error",
    object: "",
    field: "",
  }));
  for (const { document, validated } of judged) {
    violations.push(...validated.violations);
    if (validated.kind !== "accepted") continue;
    const key = objectKey(refOf(validated.object));
    const first = defined.get(key);
    if (first === undefined) defined.set(key, keepIdentity(context.lastGood.get(key), validated.object));
    else if (!haveSameContent(first, validated.object))
      violations.push({
        severity: "error",
        origin: document.locate(["metadata"]),
        object: key,
        field: "metadata.name",
        message: `is defined in ${placeInUnit(first.origin)} already: that one counts`,
      });
  }
  const held = heldObjects(unit, judged, defined, context);
  if (judged.length === 0 && held.size === 0 && violations.length === 0) return undefined;
  return { id: unit.id, judged, defined, held, protective: protectiveAmong(judged), violations };
}

function protectiveAmong(judged: readonly JudgedDocument[]): ReadonlySet<string> {
  const protective = judged.filter(({ document }) => isProtective(document.value));
  return new Set(
    protective.flatMap(({ validated }) => [
      ...validated.violations.map(({ object }) => object),
      ...(validated.kind === "accepted" ? [objectKey(refOf(validated.object))] : []),
    ]),
  );
}

/** Documents whose text and place did not change keep their verdict. */
function judgeDocuments(
  documents: readonly SourceDocument[],
  { before, strict, verdicts }: ContributionContext,
): readonly JudgedDocument[] {
  const known = unchangedIn(before);
  return documents.map(
    (document) =>
      known(document) ?? { document, validated: verdicts.get(document) ?? validateDocument(document, { strict }) },
  );
}

/**
 * Returns the documents of a unit that are to be judged anew, each as a task that puts what it finds into the verdicts.
 */
export function judgments(
  documents: readonly SourceDocument[],
  { before, strict, verdicts }: Pick<ContributionContext, "before" | "strict" | "verdicts">,
): readonly (() => void)[] {
  const known = unchangedIn(before);
  return documents
    .filter((document) => known(document) === undefined)
    .map((document) => () => void verdicts.set(document, validateDocument(document, { strict })));
}

function unchangedIn(before: Contribution | undefined): (document: SourceDocument) => JudgedDocument | undefined {
  const known = new Map<unknown, JudgedDocument>();
  for (const judged of before?.judged ?? []) known.set(judged.document.value, judged);
  return (document) => {
    const same = typeof document.value === "object" ? known.get(document.value) : undefined;
    return same !== undefined && haveSameOrigin(same.document.locate([]), document.locate([])) ? same : undefined;
  };
}

function placeInUnit(origin: Origin): string {
  return origin.kind === "file" ? `line ${origin.line} of this file` : describeOrigin(origin);
}

/** Returns the object in force if it says the same, with the origin it has now; else the new one. */
function keepIdentity(before: MeshObject | undefined, now: MeshObject): MeshObject {
  if (before === undefined || before === now) return now;
  if (unitOf(before.origin) !== unitOf(now.origin) || !haveSameContent(before, now)) return now;
  // Where an object stands is no part of its content: caches by reference must survive a line added above it.
  Object.assign(before.origin, now.origin);
  return before;
}

function heldObjects(
  unit: SourceUnit,
  judged: readonly JudgedDocument[],
  defined: ReadonlyMap<string, MeshObject>,
  context: ContributionContext,
): ReadonlyMap<string, MeshObject> {
  const held = new Map<string, MeshObject>();
  const unnamed: PartialRef[] = [];
  for (const { document, validated } of judged) {
    if (validated.kind !== "refused") continue;
    const key = completeRef(validated.about);
    if (key === undefined) unnamed.push(validated.about);
    else if (!defined.has(key)) {
      const instead = insteadOf(document, validated.about as ObjectRef, context.lastGood.get(key));
      if (instead !== undefined) held.set(key, instead);
    }
  }
  const keepAll = !unit.settled || unit.problems.length > 0;
  for (const [key, object] of [...(context.before?.defined ?? []), ...(context.before?.held ?? [])]) {
    if (defined.has(key) || held.has(key)) continue;
    if (keepAll || unnamed.some((about) => couldBe(about, object))) held.set(key, object);
  }
  return held;
}

/** The last good version; where there never was one, what keeps traffic closed that nothing would encrypt. */
function insteadOf(document: SourceDocument, ref: ObjectRef, lastGood: MeshObject | undefined): MeshObject | undefined {
  if (lastGood !== undefined && !isClosedRule(lastGood)) return lastGood;
  const { spec } = document.value as Readonly<Record<string, unknown>>;
  const closed = closedRule(ref, spec, document.locate([]));
  return closed && keepIdentity(lastGood, closed);
}

/** Returns whether a document that does not fully say what it is about may be about this object. */
function couldBe(about: PartialRef, object: MeshObject): boolean {
  if (about.kind === undefined && about.name === undefined) return true;
  return (
    (about.kind === undefined || about.kind === object.kind) &&
    (about.name === undefined || about.name === object.metadata.name)
  );
}
