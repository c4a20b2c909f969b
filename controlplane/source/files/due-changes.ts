// What is to be told of files now: texts that stayed quiet long enough are read, what is gone long enough is let go of.
import { setImmediate as nextTurn } from "node:timers/promises";
import type { SourceUnit } from "../../model/document.ts";
import { compareText } from "../../model/object.ts";
import { isLong, type ParseAside, parseAhead } from "./parse-ahead.ts";
import { readStable, type StableText } from "./read-stable.ts";
import {
  MAX_WAIT_MS,
  QUIET_UNFINISHED_MS,
  readDueMs,
  settleDueMs,
  type TrackedFile,
  unitOfFailure,
  unitOfText,
} from "./tracked-file.ts";

/** A file that is due to be told, with what to remember once it is. */
export interface Change extends SourceUnit {
  readonly gone: boolean;
}

/** What reading goes by. */
export interface ReadContext {
  /** At the start nobody waits for quiet: what is there is all there is. */
  readonly first: boolean;
  readonly now: () => number;
  readonly wasWritten: (path: string) => boolean;
  readonly parseAside: ParseAside | undefined;
  /** A file that was being parsed can be looked at. */
  readonly parsed: () => void;
}

/** Returns what is to be told, in the order of paths, and reads for it what is due to be read. */
export async function dueChanges(
  files: ReadonlyMap<string, TrackedFile>,
  context: ReadContext,
): Promise<readonly Change[]> {
  const { first, now } = context;
  const changes: Change[] = [];
  const waiting = [...files.values()].filter(
    (file) => file.next !== undefined || readDueMs(file) !== undefined || settleDueMs(file) !== undefined,
  );
  for (const file of waiting.sort((a, b) => compareText(a.path, b.path))) {
    const readDue = readDueMs(file);
    if (readDue !== undefined && (first || readDue <= now())) await read(file, context);
    const settleDue = settleDueMs(file);
    if (file.next !== undefined) changes.push({ ...file.next, gone: false });
    else if (settleDue !== undefined && settleDue <= now()) changes.push(settledChange(file));
  }
  return changes;
}

/** Returns in how many milliseconds the next file is due; Infinity if none is waited for. */
export function nextDueMs(files: ReadonlyMap<string, TrackedFile>, nowMs: number): number {
  let next = Infinity;
  for (const file of files.values()) next = Math.min(next, readDueMs(file) ?? Infinity, settleDueMs(file) ?? Infinity);
  return next - nowMs;
}

/** Reads the file into `next`, unless it is being written to. */
async function read(file: TrackedFile, context: ReadContext): Promise<void> {
  const { first, now, wasWritten } = context;
  const result = await readStable(file.path);
  if (file.whole) {
    // Whoever writes to it in place was hinted at before the bytes could be seen here; the hint may stand in the queue
    // of this turn.
    await nextTurn();
    file.whole = !wasWritten(file.path);
    if (!file.whole) {
      file.sinceMs = now();
      return;
    }
  }
  if (result.kind === "unstable") {
    file.sinceMs = now();
    return;
  }
  if (result.kind === "failed") {
    file.next = unitOfFailure(file, result.message, now()) ?? file.next;
    return;
  }
  if (!first && !file.unfinished && !result.text.endsWith("\n")) {
    file.unfinished = true;
    if (now() - file.sinceMs < QUIET_UNFINISHED_MS && now() - file.untoldSinceMs < MAX_WAIT_MS) return;
  }
  await takeText(file, result, context);
}

/** Makes of a text what is to be told; a long one is parsed first, while other files go on. */
async function takeText(
  file: TrackedFile,
  { text, signature }: StableText,
  { first, now, parseAside, parsed }: ReadContext,
): Promise<void> {
  if (file.ahead?.text !== text) file.ahead = undefined;
  if (file.ahead === undefined && isLong(text, file.parsed)) {
    const ahead: NonNullable<TrackedFile["ahead"]> = (file.ahead = { text, signature, result: undefined });
    file.signature = signature;
    const done = parseAhead(text, file.parsed, parseAside).then((result) => void (ahead.result = result));
    if (first) await done;
    else void done.then(parsed);
  }
  const result = file.ahead?.result;
  if (file.ahead !== undefined && result === undefined) return;
  file.ahead = undefined;
  file.next =
    (result?.kind === "failed" ? unitOfFailure(file, result.message, now()) : unitOfText(file, text, result)) ??
    file.next;
  file.signature = file.readSignature = signature;
}

/** Returns the change that lets go of what vanished, after the quiet time. */
function settledChange(file: TrackedFile): Change {
  const gone = file.signature === undefined;
  const { documents = [], problems = [] } = gone ? {} : (file.told ?? {});
  return { id: file.path, documents, problems, settled: true, gone };
}
