// One file as the source remembers it: what was last seen of it, what was last told about it, and what is due when.
// Pure.
import type { SourceDocument, SourceUnit } from "../../model/document.ts";
import { fileOrigin } from "../../model/origin.ts";
import type { ParsedAhead } from "./parse-ahead.ts";
import { type ParsedFile, parseFile } from "./parse-file.ts";
import type { FileSignature } from "./scan.ts";

/** How long a file must stay the same before it is read: writers that truncate and write take a moment. */
export const QUIET_MS = 80;
/** The same for a text that does not end with a line break: it is probably not all there yet. */
export const QUIET_UNFINISHED_MS = 250;
/** How long a file must stay the same before what vanished from it, or with it, is believed to be gone. */
export const SETTLE_MS = 300;
/** A file that never stays quiet is read all the same after this time. */
export const MAX_WAIT_MS = 500;
/** How long to wait before a file that could not be opened is tried again. */
const RETRY_MS = 1_000;

/** What is remembered of one file. Times are monotonic milliseconds. */
export interface TrackedFile {
  readonly path: string;
  /** What the file looks like now; undefined while it is gone. */
  signature: FileSignature | undefined;
  /** Since when it has looked like that. */
  sinceMs: number;
  /** Since when there is something untold. */
  untoldSinceMs: number;
  /** What the file looked like when it was last read. */
  readSignature: FileSignature | undefined;
  /** The text last read, and what it says. */
  text: string | undefined;
  parsed: ParsedFile | undefined;
  /** A long text that was read, and what it says as soon as that is known. */
  ahead: { readonly text: string; readonly signature: FileSignature; result: ParsedAhead | undefined } | undefined;
  /** True if it was put there as a whole, and not written to since: there is nothing to wait for. */
  whole: boolean;
  /** True if the text now there was read and does not end with a line break. */
  unfinished: boolean;
  /** What was read and is still to be told. */
  next: SourceUnit | undefined;
  /** What was last told. */
  told: SourceUnit | undefined;
}

/** Returns a file of which nothing is known. */
export function trackFile(path: string, nowMs: number): TrackedFile {
  return {
    path,
    signature: undefined,
    sinceMs: nowMs,
    untoldSinceMs: nowMs,
    readSignature: undefined,
    text: undefined,
    parsed: undefined,
    ahead: undefined,
    whole: false,
    unfinished: false,
    next: undefined,
    told: undefined,
  };
}

/**
 * Takes note of what the file looks like now (undefined: it is gone). `whole`: it was put there as it is, by renaming.
 */
export function observe(file: TrackedFile, signature: FileSignature | undefined, nowMs: number, whole = false): void {
  if (signature === file.signature) return;
  file.whole = whole;
  if (file.signature === undefined || file.signature === file.readSignature) file.untoldSinceMs = nowMs;
  file.signature = signature;
  file.sinceMs = nowMs;
  file.unfinished = false;
  if (signature === undefined) file.next = undefined;
}

/** Returns when the file should be read, or undefined if there is nothing new to read. */
export function readDueMs(file: TrackedFile): number | undefined {
  if (file.signature === undefined || file.signature === file.readSignature) return undefined;
  // It is being parsed: until that is done there is nothing to look at.
  if (file.ahead !== undefined && file.ahead.result === undefined && file.ahead.signature === file.signature)
    return undefined;
  const quietMs = file.unfinished ? QUIET_UNFINISHED_MS : file.whole ? 0 : QUIET_MS;
  return Math.min(file.sinceMs + quietMs, file.untoldSinceMs + MAX_WAIT_MS);
}

/** Returns when what vanished should be believed to be gone, or undefined if nothing is waiting for it. */
export function settleDueMs(file: TrackedFile): number | undefined {
  const waiting =
    file.signature === undefined
      ? file.told !== undefined
      : file.told?.settled === false && file.signature === file.readSignature;
  return waiting ? file.sinceMs + SETTLE_MS : undefined;
}

/** Returns what to tell of a file that could not be read, and sees to it that it is tried again. */
export function unitOfFailure(file: TrackedFile, message: string, nowMs: number): SourceUnit | undefined {
  file.sinceMs = file.untoldSinceMs = nowMs + RETRY_MS;
  if (file.text === undefined && file.told?.problems[0]?.message === message) return undefined;
  file.text = undefined;
  return {
    id: file.path,
    documents: [],
    problems: [{ origin: fileOrigin(file.path), message }],
    settled: true,
  };
}

/**
 * Returns what to tell after `text` was read, some of which may have been parsed `ahead`; undefined if it says what was
 * told already.
 */
export function unitOfText(
  file: TrackedFile,
  text: string,
  ahead?: Pick<ParsedFile, "pieces">,
): SourceUnit | undefined {
  if (text === file.text && file.told !== undefined) return undefined;
  const parsed = parseFile(text, file.path, ahead ?? file.parsed);
  file.text = text;
  file.parsed = parsed;
  const { told } = file;
  const settled = told === undefined || (told.settled && !lostSomething(told.documents, parsed.documents));
  return { id: file.path, documents: parsed.documents, problems: parsed.problems, settled };
}

/** Returns whether some object of `before` is not in `after` any more. */
function lostSomething(before: readonly SourceDocument[], after: readonly SourceDocument[]): boolean {
  const names = new Set(after.map(roughName));
  return before.some((document) => !names.has(roughName(document)));
}

/** Returns what names the object, unjudged: enough to see that it is gone. */
function roughName(document: SourceDocument): string {
  const value = document.value as { kind?: unknown; metadata?: { name?: unknown; namespace?: unknown } | null } | null;
  if (typeof value !== "object" || value === null) return "";
  return JSON.stringify([value.kind, value.metadata?.namespace, value.metadata?.name]);
}
