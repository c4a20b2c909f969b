// consumes: Worlds, one after another, and pure functions of them
// produces: those functions' answers, made anew only where something that the last answer was made from is different
// now
// never does: guess what an answer depends on: what it read while it was made is what it depends on
import type { Kind } from "../model/kinds.ts";
import type { MeshObject } from "../model/object.ts";
import { inSlice } from "../model/time-slice.ts";
import { COMPANION_AT, MESH_AT, stampPlace, type World, type WorldState } from "./world.ts";

// An answer is kept with its trace: every list, object and other answer it read, in order, with what it was told.
//
//     hosts(default) ─reads→ list(Service) = [s1, s2]
//                    ─reads→ host(default, s1) = h1 ─reads→ get(VirtualService, …) = v7
//                    ─reads→ host(default, s2) = h2 ─reads→ …
//
// In another World the trace is gone through: as long as each question has the same answer (by reference) as it had,
// the kept answer stands. The first that differs, and the answer is made anew; if it comes out as it was, whoever read
// it stands on. Worlds may be asked about in any order.

/**
 * A question whose answer is kept. Equal keys mean equal questions; arguments are text and numbers unless `keyOf` is
 * given.
 */
export interface DeriveOptions<A extends readonly unknown[], R> {
  readonly keyOf?: (...args: A) => string;
  /**
   * Whether a new answer says the same as the one before, which then stands on: nothing that read it is made again. By
   * reference unless given.
   */
  readonly same?: (before: R, after: R) => boolean;
}

/**
 * Returns `compute` with its answers kept from World to World. It must be pure and read the World that it is given, no
 * other.
 */
export function derived<A extends readonly unknown[], R>(
  compute: (world: World, ...args: A) => R,
  options: DeriveOptions<A, R> = {},
): (world: World, ...args: A) => R {
  const { keyOf = (...args: A) => args.join("\0") } = options;
  // Whatever is kept for this question was made by this `compute`.
  const same = (options.same ?? Object.is) as (before: unknown, after: unknown) => boolean;
  const question = {};
  return (world, ...args) => {
    const asker = world instanceof Reading ? world : undefined;
    const state = asker?.state ?? (world as WorldState);
    const answers = answersOf(state.lineage);
    const answer = answers.find(
      question,
      keyOf(...args),
      () => new Answer((from) => compute(from, ...args), same, answers),
    );
    const value = answer.in(state) as R;
    if (asker === undefined) answers.noteUse(answer);
    else asker.note(new AnswerRead(answer, value), answer.reads);
    return value;
  };
}

/**
 * Lets go of answers that do not hold in this World. Until this is said each question keeps the answer that it had when
 * this was said last, beside the one it was given last: one World can be made ready while another is asked about, and
 * neither costs the other its answers.
 */
export function keepOnlyAnswersOf(world: World): void {
  // A Reading is given to answers only.
  const state = world as WorldState;
  answersOf(state.lineage).keepOnly(state);
}

/** Whether two lists hold the same items: for `same`. */
export function sameItems<T>(before: readonly T[], after: readonly T[]): boolean {
  return before.length === after.length && before.every((item, index) => Object.is(item, after[index]));
}

/** Whether two maps hold the same values under the same keys in the same order: for `same`. */
export function sameEntries<V>(before: ReadonlyMap<string, V>, after: ReadonlyMap<string, V>): boolean {
  if (before.size !== after.size) return false;
  const others = after.entries();
  for (const [key, value] of before) {
    const [otherKey, other] = others.next().value!;
    if (key !== otherKey || !Object.is(value, other)) return false;
  }
  return true;
}

/** One question with the answer it had. */
interface Read {
  holdsIn(state: WorldState): boolean;
}

class ListRead implements Read {
  constructor(
    private readonly kind: Kind,
    private readonly told: readonly MeshObject[],
  ) {}
  holdsIn(state: WorldState): boolean {
    return state.list(this.kind) === this.told;
  }
}

class ObjectRead implements Read {
  constructor(
    private readonly kind: Kind,
    private readonly namespace: string,
    private readonly name: string,
    private readonly told: MeshObject | undefined,
  ) {}
  holdsIn(state: WorldState): boolean {
    return state.get(this.kind, this.namespace, this.name) === this.told;
  }
}

class FieldRead implements Read {
  constructor(
    private readonly field: "mesh" | "companion",
    private readonly told: unknown,
  ) {}
  holdsIn(state: WorldState): boolean {
    return state[this.field] === this.told;
  }
}

class AnswerRead implements Read {
  constructor(
    readonly answer: Answer,
    private readonly told: unknown,
  ) {}
  holdsIn(state: WorldState): boolean {
    return Object.is(this.answer.in(state), this.told);
  }
}

/** A World that takes note of what is read from it. */
class Reading implements World {
  readonly trace: Read[] = [];
  /** The places of stamps on which all that was read depends, as bits. */
  reads = 0;

  constructor(readonly state: WorldState) {}

  get revision(): number {
    throw new RangeError("an answer that is kept cannot depend on the revision: it would never hold");
  }
  get mesh(): World["mesh"] {
    const { mesh } = this.state;
    this.note(new FieldRead("mesh", mesh), bit(MESH_AT));
    return mesh;
  }
  get companion(): World["companion"] {
    const { companion } = this.state;
    this.note(new FieldRead("companion", companion), bit(COMPANION_AT));
    return companion;
  }
  list<K extends Kind>(kind: K): readonly MeshObject<K>[] {
    const list = this.state.list(kind);
    this.note(new ListRead(kind, list), bit(stampPlace(kind)));
    return list;
  }
  get<K extends Kind>(kind: K, namespace: string, name: string): MeshObject<K> | undefined {
    const object = this.state.get(kind, namespace, name);
    this.note(new ObjectRead(kind, namespace, name, object), bit(stampPlace(kind)));
    return object;
  }
  note(read: Read, reads: number): void {
    this.trace.push(read);
    this.reads |= reads;
  }
}

/** More places than bits share them: then a change of one is taken for a change of both, and the trace decides. */
function bit(place: number): number {
  return 1 << (place & 31);
}

/** The last comparison: nearly all answers were last right for the state before. */
const compared: { before: readonly number[]; after: readonly number[]; bits: number } = {
  before: [],
  after: [],
  bits: 0,
};

function differences(before: readonly number[], after: readonly number[]): number {
  if (compared.before === before && compared.after === after) return compared.bits;
  let bits = 0;
  for (let place = 0; place < after.length; place++) if (before[place] !== after[place]) bits |= bit(place);
  [compared.before, compared.after, compared.bits] = [before, after, bits];
  return bits;
}

/**
 * One answer, and the states for which it is known to hold: the last of them, and the one before, so that who goes to
 * and fro need not look twice.
 */
interface Made {
  readonly value: unknown;
  readonly trace: readonly Read[];
  reads: number;
  stamp: readonly number[];
  stampBefore: readonly number[];
}

/**
 * What one question was answered last; while a state is being made ready, also what it was answered in the one that is
 * served.
 */
class Answer {
  private latest: Made | undefined;
  private served: Made | undefined;
  /** What the last asker was told. */
  private told: Made | undefined;
  private isBeingMade = false;
  usedInSweep = -1;
  markedInSweep = -1;

  constructor(
    private readonly compute: (world: World) => unknown,
    private readonly same: (before: unknown, after: unknown) => boolean,
    private readonly answers: Answers,
  ) {}

  /** What the answer that was given last depends on. */
  get reads(): number {
    return this.told?.reads ?? 0;
  }

  in(state: WorldState): unknown {
    this.told =
      known(this.latest, state) ??
      known(this.served, state) ??
      stillHolding(this.latest, state) ??
      stillHolding(this.served, state) ??
      inSlice(() => this.make(state));
    return this.told.value;
  }

  private make(state: WorldState): Made {
    if (this.isBeingMade) throw new RangeError("an answer cannot depend on itself");
    this.isBeingMade = true;
    try {
      const reading = new Reading(state);
      const value = this.compute(reading);
      const { latest, served } = this;
      if (latest !== undefined && served === undefined) {
        this.served = latest;
        this.answers.noteTwo(this);
      }
      const said = [latest, served].find((made) => made !== undefined && this.same(made.value, value));
      return (this.latest = {
        value: said === undefined ? value : said.value,
        trace: reading.trace,
        reads: reading.reads,
        stamp: state.stamp,
        stampBefore: state.stamp,
      });
    } finally {
      this.isBeingMade = false;
    }
  }

  /** Keeps one answer: the one that holds in this state. */
  keepOne(state: WorldState): void {
    this.latest = known(this.latest, state) ?? known(this.served, state) ?? this.latest;
    this.served = undefined;
    this.told = this.latest;
  }

  *answersRead(): Iterable<Answer> {
    for (const made of [this.latest, this.served])
      for (const read of made?.trace ?? []) if (read instanceof AnswerRead) yield read.answer;
  }
}

function known(made: Made | undefined, { stamp }: WorldState): Made | undefined {
  return made?.stamp === stamp || made?.stampBefore === stamp ? made : undefined;
}

function stillHolding(made: Made | undefined, state: WorldState): Made | undefined {
  if (made === undefined || !holdsIn(made, state)) return undefined;
  [made.stampBefore, made.stamp] = [made.stamp, state.stamp];
  return made;
}

function holdsIn(made: Made, state: WorldState): boolean {
  if ((differences(made.stamp, state.stamp) & made.reads) === 0) return true;
  let { reads } = made;
  for (const read of made.trace) {
    if (!read.holdsIn(state)) return false;
    // An answer that came out as it was may have read other things on the way.
    if (read instanceof AnswerRead) reads |= read.answer.reads;
  }
  made.reads = reads;
  return true;
}

/** Questions from outside are counted; every so many, answers that none of the last ones led to are forgotten. */
const SWEEP_AFTER = 20_000;

/** All answers of the states that follow from one another. */
class Answers {
  private readonly byQuestion = new Map<object, Map<string, Answer>>();
  /** Those that hold an answer for another state beside the latest. */
  private two: Answer[] = [];
  private uses = 0;
  private sweep = 0;

  find(question: object, key: string, make: () => Answer): Answer {
    let byKey = this.byQuestion.get(question);
    if (byKey === undefined) this.byQuestion.set(question, (byKey = new Map()));
    let answer = byKey.get(key);
    if (answer === undefined) byKey.set(key, (answer = make()));
    return answer;
  }

  noteTwo(answer: Answer): void {
    this.two.push(answer);
  }

  keepOnly(state: WorldState): void {
    for (const answer of this.two) answer.keepOne(state);
    this.two = [];
  }

  noteUse(answer: Answer): void {
    answer.usedInSweep = this.sweep;
    if (++this.uses % SWEEP_AFTER === 0) this.forgetUnused();
  }

  /**
   * An answer is in use when it was asked for from outside in this round or the one before, or when such an answer's
   * trace leads to it.
   */
  private forgetUnused(): void {
    const open: Answer[] = [];
    for (const byKey of this.byQuestion.values())
      for (const answer of byKey.values()) if (answer.usedInSweep >= this.sweep - 1) open.push(answer);
    for (let answer = open.pop(); answer !== undefined; answer = open.pop()) {
      if (answer.markedInSweep === this.sweep) continue;
      answer.markedInSweep = this.sweep;
      open.push(...answer.answersRead());
    }
    for (const byKey of this.byQuestion.values())
      for (const [key, answer] of byKey) if (answer.markedInSweep !== this.sweep) byKey.delete(key);
    this.sweep++;
  }
}

const answersByLineage = new WeakMap<object, Answers>();

function answersOf(lineage: object): Answers {
  let answers = answersByLineage.get(lineage);
  if (answers === undefined) answersByLineage.set(lineage, (answers = new Answers()));
  return answers;
}
