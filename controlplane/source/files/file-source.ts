// Consumes: a directory of YAML and JSON files, as it changes.
// Produces: batches of what each changed file holds, in the order of paths.
// Never does: judge documents, tell half-written text, or tell that everything is gone unless that is allowed.
import type { SourceBatch, SourceProblem, SourceUnit } from "../../model/document.ts";
import { fileOrigin } from "../../model/origin.ts";
import { setImmediate as nextTurn } from "node:timers/promises";
import { compareText } from "../../model/object.ts";
import { createHints } from "./hints.ts";
import { isLong, type ParseAside, parseAhead } from "./parse-ahead.ts";
import { readStable, type StableText } from "./read-stable.ts";
import { type FileSignature, isLeaf, type Scan, scanDirectory, signatureAt } from "./scan.ts";
import {
  MAX_WAIT_MS,
  observe,
  QUIET_UNFINISHED_MS,
  readDueMs,
  settleDueMs,
  unitOfFailure,
  unitOfText,
  trackFile,
  type TrackedFile,
} from "./tracked-file.ts";
import { createDirectoryWatch, type HintKind } from "./watch-directories.ts";

/** The part of time that the source needs; controlplane/telemetry's Clock is one. */
export interface SourceClock {
  monotonicMs(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export interface FileSourceOptions {
  readonly directory: string;
  readonly clock: SourceClock;
  /** The name its batches carry; `directory` unless given. */
  readonly name?: string;
  /** If true, a directory that becomes empty empties the mesh; else the last objects are held, and a notice says so. */
  readonly allowEmpty?: boolean;
  /** Which of the YAML and JSON files are read, by path joined to the directory; all unless given. */
  readonly include?: (path: string) => boolean;
  /**
   * How often what cannot be watched (links, directories for which there is no watch) is looked at; 250 ms unless
   * given. The rest: EVERYTHING_AFTER times less often.
   */
  readonly rescanMs?: number;
  /** Parses large documents somewhere else; here, where others wait meanwhile, unless given. */
  readonly parseAside?: ParseAside;
}

/** A directory that tells what it holds. */
export interface FileSource {
  /**
   * Tells everything there is (once, before it resolves), then what changes, until stopped. What onChange throws is a
   * bug: it rejects here the first time, and is an unhandled rejection later.
   */
  start(onChange: (batch: SourceBatch) => void): Promise<void>;
  /** Ends the watching; nothing is told afterwards. */
  stop(): Promise<void>;
  /** Lets the directory be empty from now on: what was held is told to be gone. */
  allowEmpty(): void;
}

/** Returns the source of a directory's documents. */
export function createFileSource(options: FileSourceOptions): FileSource {
  const { directory, clock, name = directory, include = () => true, rescanMs = 250 } = options;
  const files = new Map<string, TrackedFile>();
  const ending = new AbortController();
  let emptyAllowed = options.allowEmpty === true;
  let toldNotices = "[]";
  let holding = false;
  let wake: () => void = () => {};
  let running: Promise<void> = Promise.resolve();
  const hints = createHints();
  const watch = createDirectoryWatch((path, kind) => {
    hints.note(path, kind);
    wake();
  });
  let scan: Scan = { files: new Map(), links: new Set(), directories: new Map(), unreadable: [], rootMissing: false };
  /** When everything is looked at again, hint or no hint. */
  let scanDueMs = -Infinity;

  /** Looks at everything, or only at what was hinted at and what cannot be watched. */
  async function look(): Promise<void> {
    const hinted = hints.take();
    const startedMs = clock.monotonicMs();
    const isAnywhere =
      hinted.anything || [...hinted.others].some((path) => scan.directories.has(path) || !isLeaf(path));
    if (!isAnywhere && startedMs < scanDueMs) return lookAtDocuments(hinted.documents);
    scan = await scanDirectory(directory);
    if (ending.signal.aborted) return;
    // What changed before a directory was watched was not hinted at.
    const isNew = watch.follow(scan.directories);
    observeAll(files, scan, include, hinted.documents, clock.monotonicMs());
    const isWatched = watch.isComplete() && !isNew && !scan.rootMissing && scan.unreadable.length === 0;
    const everythingMs = isWatched ? EVERYTHING_AFTER * rescanMs : rescanMs;
    // Looking at a large tree must not become the process's main work.
    scanDueMs = startedMs + Math.max(everythingMs, 20 * (clock.monotonicMs() - startedMs));
  }

  function lookAtDocuments(documents: ReadonlyMap<string, HintKind>): void {
    for (const path of new Set([...documents.keys(), ...scan.links])) {
      if (!include(path)) continue;
      const signature = signatureAt(path);
      if (signature === "unknown") scanDueMs = -Infinity;
      else observePath(files, path, signature, documents.get(path) === "put", clock.monotonicMs());
    }
  }

  async function round(tell: (batch: SourceBatch) => void, first: boolean): Promise<void> {
    await look();
    if (ending.signal.aborted) return;
    const changes = await dueChanges(files, {
      first,
      now: () => clock.monotonicMs(),
      wasWritten: hints.wasWritten,
      parseAside: options.parseAside,
      parsed: () => wake(),
    });
    holding = !emptyAllowed && emptiesAll(files, changes);
    const notices = noticesOf(scan, directory, holding ? countDocuments(files) : 0);
    const noticed = JSON.stringify(notices);
    const told = holding ? [] : changes;
    if (ending.signal.aborted || (!first && told.length === 0 && noticed === toldNotices)) return;
    toldNotices = noticed;
    for (const change of told) commit(files, change);
    tell({ source: name, units: told, notices });
  }

  async function watchOn(tell: (batch: SourceBatch) => void): Promise<void> {
    while (!ending.signal.aborted) {
      const hinted = new Promise<void>((resolve) => {
        wake = resolve;
      });
      if (!hints.isEmpty()) wake();
      await round(tell, false);
      const nowMs = clock.monotonicMs();
      const lookDueMs = scan.links.size > 0 ? Math.min(rescanMs, scanDueMs - nowMs) : scanDueMs - nowMs;
      await sleepUnlessHinted(Math.min(lookDueMs, holding ? Infinity : nextDueMs(files, nowMs)), hinted);
    }
  }

  async function sleepUnlessHinted(ms: number, hinted: Promise<void>): Promise<void> {
    const over = new AbortController();
    // `stop` wakes. A signal that depended on `ending` would be known to it for as long as the source lives:
    // AbortSignal.any forgets none.
    const slept = clock.sleep(Math.max(ms, 5), over.signal).catch(() => undefined);
    await Promise.race([slept, hinted]);
    over.abort();
  }

  return {
    async start(onChange) {
      await round(onChange, true);
      running = watchOn(onChange);
    },
    async stop() {
      ending.abort();
      wake();
      watch.close();
      await running;
    },
    allowEmpty() {
      emptyAllowed = true;
      wake();
    },
  };
}

/**
 * Everything is looked at so many times less often than what cannot be watched: watches may miss something, but hardly
 * ever do.
 */
const EVERYTHING_AFTER = 8;

function observeAll(
  files: Map<string, TrackedFile>,
  scan: Scan,
  include: (path: string) => boolean,
  hinted: ReadonlyMap<string, HintKind>,
  nowMs: number,
): void {
  for (const [path, signature] of scan.files)
    if (include(path)) observePath(files, path, signature, hinted.get(path) === "put", nowMs);
  for (const file of files.values()) {
    const hidden = scan.unreadable.some(({ path }) => file.path === path || file.path.startsWith(`${path}/`));
    if (!scan.files.has(file.path) && !hidden) observe(file, undefined, nowMs);
  }
}

function observePath(
  files: Map<string, TrackedFile>,
  path: string,
  signature: FileSignature | undefined,
  whole: boolean,
  nowMs: number,
): void {
  let file = files.get(path);
  if (file === undefined && signature === undefined) return;
  if (file === undefined) files.set(path, (file = trackFile(path, nowMs)));
  observe(file, signature, nowMs, whole);
}

/** A unit that is due to be told, with what to remember once it is. */
interface Change extends SourceUnit {
  readonly gone: boolean;
}

/** What reading goes by. */
interface ReadContext {
  readonly first: boolean;
  readonly now: () => number;
  readonly wasWritten: (path: string) => boolean;
  readonly parseAside: ParseAside | undefined;
  /** A file that was being parsed can be looked at. */
  readonly parsed: () => void;
}

async function dueChanges(files: ReadonlyMap<string, TrackedFile>, context: ReadContext): Promise<readonly Change[]> {
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
  if (result.outcome === "unstable") {
    file.sinceMs = now();
    return;
  }
  if (result.outcome === "failed") {
    file.next = unitOfFailure(file, result.reason, now()) ?? file.next;
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
    const ahead: NonNullable<TrackedFile["ahead"]> = (file.ahead = { text, signature, outcome: undefined });
    file.signature = signature;
    const done = parseAhead(text, file.parsed, parseAside).then((outcome) => void (ahead.outcome = outcome));
    if (first) await done;
    else void done.then(parsed);
  }
  const outcome = file.ahead?.outcome;
  if (file.ahead !== undefined && outcome === undefined) return;
  file.ahead = undefined;
  file.next =
    (outcome?.kind === "failed" ? unitOfFailure(file, outcome.reason, now()) : unitOfText(file, text, outcome)) ??
    file.next;
  file.signature = file.readSignature = signature;
}

/** Returns the change that lets go of what vanished, after the quiet time. */
function settledChange(file: TrackedFile): Change {
  const gone = file.signature === undefined;
  const { documents = [], problems = [] } = gone ? {} : (file.told ?? {});
  return { id: file.path, documents, problems, settled: true, gone };
}

function commit(files: Map<string, TrackedFile>, { gone, ...unit }: Change): void {
  const file = files.get(unit.id);
  if (gone) files.delete(unit.id);
  else if (file !== undefined) [file.told, file.next] = [unit, undefined];
}

/** Returns whether telling these changes would leave no document at all where there were some. */
function emptiesAll(files: ReadonlyMap<string, TrackedFile>, changes: readonly Change[]): boolean {
  if (changes.length === 0 || countDocuments(files) === 0) return false;
  const changed = new Map(changes.map((change) => [change.id, change]));
  return [...files.values()].every((file) => {
    const next = changed.get(file.path) ?? file.told;
    return next === undefined || (next.documents.length === 0 && next.problems.length === 0);
  });
}

function countDocuments(files: ReadonlyMap<string, TrackedFile>): number {
  return [...files.values()].reduce((sum, file) => sum + (file.told?.documents.length ?? 0), 0);
}

function noticesOf(scan: Scan, directory: string, held: number): readonly SourceProblem[] {
  const notices = scan.unreadable.map(
    ({ path, reason }): SourceProblem => ({
      origin: fileOrigin(path),
      message: `cannot be read (${reason}): its last objects are kept`,
    }),
  );
  if (held > 0) {
    const what = scan.rootMissing ? "the directory is gone" : "the directory holds no object any more";
    notices.push({
      origin: fileOrigin(directory),
      message: `${what}: its last ${held} documents are kept; --allow-empty deletes them`,
    });
  }
  return notices;
}

function nextDueMs(files: ReadonlyMap<string, TrackedFile>, nowMs: number): number {
  let next = Infinity;
  for (const file of files.values()) next = Math.min(next, readDueMs(file) ?? Infinity, settleDueMs(file) ?? Infinity);
  return next - nowMs;
}
