// One question, what it was answered, and what that was made from.
import { inSlice } from "../model/time-slice.ts";
import type { Answers } from "./answers.ts";
import type { KeptAnswer, Read, Recorder, Source } from "./source.ts";
import type { Stamp } from "./stamp.ts";

/**
 * One answer, and the states for which it is known to hold: the last of them, and the one before, so that who goes to
 * and fro need not look twice.
 */
interface Made<S, R> {
  readonly value: R;
  readonly trace: readonly Read<S>[];
  places: number;
  stamp: Stamp;
  stampBefore: Stamp;
}

/**
 * What one question was answered last; while a state is being made ready, also what it was answered in the one that is
 * served.
 */
export class Answer<S, R> implements KeptAnswer {
  private latest: Made<S, R> | undefined;
  private served: Made<S, R> | undefined;
  /** What the last asker was told. */
  private told: Made<S, R> | undefined;
  private isBeingMade = false;
  usedInSweep = -1;
  markedInSweep = -1;

  constructor(
    private readonly compute: (from: S) => R,
    private readonly same: (before: R, after: R) => boolean,
    private readonly answers: Pick<Answers, "noteTwo">,
  ) {}

  get places(): number {
    return this.told?.places ?? 0;
  }

  in(source: Source<S>): R {
    const told =
      known(this.latest, source.stamp) ??
      known(this.served, source.stamp) ??
      stillHolding(this.latest, source) ??
      stillHolding(this.served, source) ??
      inSlice(() => this.make(source));
    this.told = told;
    return told.value;
  }

  private make(source: Source<S>): Made<S, R> {
    if (this.isBeingMade) throw new RangeError("an answer cannot depend on itself");
    this.isBeingMade = true;
    try {
      const trace = new Trace<S>();
      const value = this.compute(source.readBy(trace));
      const { latest, served } = this;
      if (latest !== undefined && served === undefined) {
        this.served = latest;
        this.answers.noteTwo(this);
      }
      const said = [latest, served].find((made) => made !== undefined && this.same(made.value, value));
      return (this.latest = {
        value: said === undefined ? value : said.value,
        trace: trace.reads,
        places: trace.places,
        stamp: source.stamp,
        stampBefore: source.stamp,
      });
    } finally {
      this.isBeingMade = false;
    }
  }

  keepOne(stamps: readonly Stamp[]): void {
    const holding = [this.latest, this.served].find((made) => stamps.some((stamp) => known(made, stamp)));
    this.latest = holding ?? this.latest;
    this.served = undefined;
    this.told = this.latest;
  }

  *answersRead(): Iterable<KeptAnswer> {
    for (const made of [this.latest, this.served])
      for (const { answer } of made?.trace ?? []) if (answer !== undefined) yield answer;
  }
}

/** That another answer was asked for, and what it was. */
export class AnswerRead<S, R> implements Read<S> {
  constructor(
    readonly answer: Answer<S, R>,
    private readonly told: R,
  ) {}
  placesIn(source: Source<S>): number | undefined {
    return Object.is(this.answer.in(source), this.told) ? this.answer.places : undefined;
  }
}

/** All that was read while an answer was made, in order. */
class Trace<S> implements Recorder<S> {
  readonly reads: Read<S>[] = [];
  places = 0;

  note(read: Read<S>, places: number): void {
    this.reads.push(read);
    this.places |= places;
  }
}

function known<S, R>(made: Made<S, R> | undefined, stamp: Stamp): Made<S, R> | undefined {
  return made?.stamp === stamp || made?.stampBefore === stamp ? made : undefined;
}

function stillHolding<S, R>(made: Made<S, R> | undefined, source: Source<S>): Made<S, R> | undefined {
  if (made === undefined || !holdsIn(made, source)) return undefined;
  [made.stampBefore, made.stamp] = [made.stamp, source.stamp];
  return made;
}

function holdsIn<S, R>(made: Made<S, R>, source: Source<S>): boolean {
  if ((source.stamp.differencesFrom(made.stamp) & made.places) === 0) return true;
  let { places } = made;
  for (const read of made.trace) {
    const now = read.placesIn(source);
    if (now === undefined) return false;
    // An answer that came out as it was may have read other things on the way.
    places |= now;
  }
  made.places = places;
  return true;
}
