// What answers are made from (a World, or a World with the modules beside it), and how it is noted what of it was read.
import type { Stamp } from "./stamp.ts";

/** A state that answers can be made from, or a reading of one: the same to whoever asks it. */
export interface Readable<S> {
  readonly source: Source<S>;
  /** Who is told of all that is read; undefined for the state itself. */
  readonly recorder: Recorder<S> | undefined;
}

/** What a state and its readings have in common. */
export interface Source<S> {
  readonly state: S;
  /** The same for all states that follow from one another. */
  readonly lineage: object;
  readonly stamp: Stamp;
  /** The stamps of all states that it is made of, its own among them. */
  readonly stamps: readonly Stamp[];
  /** Returns the state as one that tells the recorder of all that is read from it. */
  readBy(recorder: Recorder<S>): S;
}

/** Takes note of what is read. */
export interface Recorder<S> {
  /** `places`: of stamps, on which what was read depends, as bits. */
  note(read: Read<S>, places: number): void;
}

/** One question with the answer it had. */
export interface Read<S> {
  holdsIn(source: Source<S>): boolean;
  /** The answer that is kept for the question; undefined where the state itself was asked. */
  readonly answer: KeptAnswer | undefined;
}

/** What is kept for one question, whatever the question. */
export interface KeptAnswer {
  /** The places of stamps on which the answer that was given last depends, as bits. */
  readonly places: number;
  usedInSweep: number;
  markedInSweep: number;
  /** Keeps one answer: the one that holds for a state with one of these stamps. */
  keepOne(stamps: readonly Stamp[]): void;
  answersRead(): Iterable<KeptAnswer>;
}
