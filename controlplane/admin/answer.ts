// What the admin server answers.
import { inTurns, jsonPieces } from "./json-pieces.ts";

/** A body in pieces is made while it is written. */
export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string | AsyncIterable<string>;
}

/** A plain text; it ends with a line break. */
export function text(status: number, body: string): Answer {
  return { status, type: "text/plain; charset=utf-8", body };
}

/** A value as JSON, made piece by piece so that others have their turn meanwhile. */
export function json(status: number, value: unknown): Answer {
  return {
    status,
    type: "application/json; charset=utf-8",
    body: inTurns(withLineBreak(jsonPieces(value)), () => performance.now()),
  };
}

function* withLineBreak(pieces: Iterable<string>): Iterable<string> {
  yield* pieces;
  yield "\n";
}
