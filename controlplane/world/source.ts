// What answers are made from (a World, or a World with the modules beside it), and how it is noted what of it was read.
import type { Answers } from "./answers.ts";
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
  /** The answers of all states that follow from one another. */
  readonly answers: Answers;
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
  /** Returns on which places the answer depends now, as bits, if it is the one that it had; undefined if it is not. */
  placesIn(source: Source<S>): number | undefined;
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
