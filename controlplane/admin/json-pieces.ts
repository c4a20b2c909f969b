// JSON of pages that may have many megabytes, a piece at a time: what a piece shows is made only when the one before it
// was written.
import { setImmediate as nextTurn } from "node:timers/promises";

/** An array of JSON whose items are made one by one. */
export class LazyList<T> {
  constructor(
    private readonly items: Iterable<T>,
    private readonly show: (item: T) => unknown,
  ) {}
  *shown(): Iterable<unknown> {
    for (const item of this.items) yield this.show(item);
  }
  toJSON(): unknown {
    return [...this.shown()];
  }
}

/**
 * An object of JSON whose fields are found one by one; undefined stands for having looked for one in vain, after which
 * others may have a turn.
 */
export class LazyRecord {
  constructor(readonly entries: () => Iterable<readonly [string, unknown] | undefined>) {}
  toJSON(): unknown {
    return Object.fromEntries([...this.entries()].filter((entry) => entry !== undefined));
  }
}

/** So deep down pieces are cut where nothing is lazy. */
const DEPTH = 3;
const INDENT = "  ";

/** Returns `JSON.stringify(value, undefined, 2)` in pieces; some of them are empty. */
export function* jsonPieces(value: unknown, depth = 0): Iterable<string> {
  if (value instanceof LazyList) yield* between("[", "]", depth, itemsOf(value.shown(), depth));
  else if (value instanceof LazyRecord) yield* between("{", "}", depth, fieldsOf(value.entries(), depth));
  else if (!isCut(value, depth))
    yield JSON.stringify(value, undefined, INDENT.length)?.replaceAll("\n", `\n${INDENT.repeat(depth)}`) ?? "null";
  else if (Array.isArray(value)) yield* between("[", "]", depth, itemsOf(value, depth));
  else yield* between("{", "}", depth, fieldsOf(Object.entries(value), depth));
}

function isCut(value: unknown, depth: number): value is object {
  if (typeof value !== "object" || value === null || "toJSON" in value) return false;
  return (
    depth < DEPTH || Object.values(value).some((inner) => inner instanceof LazyList || inner instanceof LazyRecord)
  );
}

/** Each item as its pieces, the first of which may stand for nothing. */
function* itemsOf(items: Iterable<unknown>, depth: number): Iterable<Iterable<string> | undefined> {
  for (const item of items) yield jsonPieces(item, depth + 1);
}

function* fieldsOf(
  entries: Iterable<readonly [string, unknown] | undefined>,
  depth: number,
): Iterable<Iterable<string> | undefined> {
  for (const entry of entries) if (entry === undefined || entry[1] !== undefined) yield entry && fieldOf(entry, depth);
}

function* fieldOf([name, value]: readonly [string, unknown], depth: number): Iterable<string> {
  yield `${JSON.stringify(name)}: `;
  yield* jsonPieces(value, depth + 1);
}

function* between(
  open: string,
  close: string,
  depth: number,
  parts: Iterable<Iterable<string> | undefined>,
): Iterable<string> {
  let isEmpty = true;
  yield open;
  for (const part of parts) {
    if (part === undefined) {
      yield "";
      continue;
    }
    yield `${isEmpty ? "" : ","}\n${INDENT.repeat(depth + 1)}`;
    yield* part;
    isEmpty = false;
  }
  yield isEmpty ? close : `\n${INDENT.repeat(depth)}${close}`;
}

/** Handed over at once. */
const CHUNK_CHARACTERS = 64 * 1024;
/** Pieces are made for so long before others have a turn. */
const TURN_MS = 10;

/** Returns the pieces strung together, a chunk for each turn of the event loop. `nowMs` is monotonic. */
export async function* inTurns(pieces: Iterable<string>, nowMs: () => number): AsyncIterable<string> {
  let chunk: string[] = [],
    length = 0,
    endMs = nowMs() + TURN_MS;
  for (const piece of pieces) {
    chunk.push(piece);
    length += piece.length;
    if (length < CHUNK_CHARACTERS && nowMs() < endMs) continue;
    if (length > 0) yield chunk.join("");
    [chunk, length] = [[], 0];
    await nextTurn();
    endMs = nowMs() + TURN_MS;
  }
  if (length > 0) yield chunk.join("");
}
