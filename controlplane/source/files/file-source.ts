// Consumes: a directory of YAML and JSON files, as it changes.
// Produces: batches of what each changed file holds, in the order of paths.
// Never does: judge documents, tell half-written text, or tell that everything is gone unless that is allowed.
import type { FileSnapshot, SourceBatch, SyntaxProblem } from "../../model/document.ts";
import { compareText } from "../../model/object.ts";
import { readStable } from "./read-stable.ts";
import { scanDirectory, type Scan } from "./scan.ts";
import { MAX_WAIT_MS, observe, QUIET_UNFINISHED_MS, readDueMs, settleDueMs, snapshotOfFailure, snapshotOfText, trackFile, type TrackedFile } from "./tracked-file.ts";
import { createDirectoryWatch } from "./watch-directories.ts";

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
  /** How often the directory is looked at without a hint; 250 ms unless given, less often where looking takes long. */
  readonly rescanMs?: number;
}

/** A directory that tells what it holds. */
export interface FileSource {
  /**
   * Tells everything there is (once, before it resolves), then what changes, until stopped. What onChange throws is a bug: it
   * rejects here the first time, and is an unhandled rejection later.
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
  const watch = createDirectoryWatch(() => wake());

  async function round(tell: (batch: SourceBatch) => void, first: boolean): Promise<void> {
    const scan = await scanDirectory(directory);
    if (ending.signal.aborted) return;
    watch.follow(scan.directories);
    observeAll(files, scan, include, clock.monotonicMs());
    const changes = await dueChanges(files, first, () => clock.monotonicMs());
    holding = !emptyAllowed && emptiesAll(files, changes);
    const notices = noticesOf(scan, directory, holding ? countDocuments(files) : 0);
    const noticed = JSON.stringify(notices);
    const told = holding ? [] : changes;
    if (ending.signal.aborted || (!first && told.length === 0 && noticed === toldNotices)) return;
    toldNotices = noticed;
    for (const change of told) commit(files, change);
    tell({ source: name, files: told, notices });
  }

  async function watchOn(tell: (batch: SourceBatch) => void): Promise<void> {
    while (!ending.signal.aborted) {
      const hinted = new Promise<void>((resolve) => { wake = resolve; });
      const startedMs = clock.monotonicMs();
      await round(tell, false);
      const tookMs = clock.monotonicMs() - startedMs;
      // Looking at a large tree must not become the process's main work.
      const waitMs = Math.min(Math.max(rescanMs, 10 * tookMs), holding ? Infinity : nextDueMs(files, clock.monotonicMs()));
      await sleepUnlessHinted(waitMs, hinted);
    }
  }

  async function sleepUnlessHinted(ms: number, hinted: Promise<void>): Promise<void> {
    const over = new AbortController();
    const slept = clock.sleep(Math.max(ms, 10), AbortSignal.any([ending.signal, over.signal])).catch(() => undefined);
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

function observeAll(files: Map<string, TrackedFile>, scan: Scan, include: (path: string) => boolean, nowMs: number): void {
  for (const [path, signature] of scan.files) {
    if (!include(path)) continue;
    let file = files.get(path);
    if (file === undefined) files.set(path, file = trackFile(path, nowMs));
    observe(file, signature, nowMs);
  }
  for (const file of files.values()) {
    const hidden = scan.unreadable.some(({ path }) => file.path === path || file.path.startsWith(`${path}/`));
    if (!scan.files.has(file.path) && !hidden) observe(file, undefined, nowMs);
  }
}

/** A snapshot that is due to be told, with what to remember once it is. */
interface Change extends FileSnapshot {
  readonly gone: boolean;
}

async function dueChanges(files: ReadonlyMap<string, TrackedFile>, first: boolean, now: () => number): Promise<readonly Change[]> {
  const changes: Change[] = [];
  for (const file of [...files.values()].sort((a, b) => compareText(a.path, b.path))) {
    const readDue = readDueMs(file);
    if (readDue !== undefined && (first || readDue <= now())) await read(file, first, now);
    const settleDue = settleDueMs(file);
    if (file.next !== undefined) changes.push({ ...file.next, gone: false });
    else if (settleDue !== undefined && settleDue <= now()) changes.push(settledChange(file));
  }
  return changes;
}

/** Reads the file into `next`, unless it is being written to. */
async function read(file: TrackedFile, first: boolean, now: () => number): Promise<void> {
  const result = await readStable(file.path);
  if (result.outcome === "unstable") {
    file.sinceMs = now();
    return;
  }
  if (result.outcome === "failed") {
    file.next = snapshotOfFailure(file, result.reason, now()) ?? file.next;
    return;
  }
  if (!first && !file.unfinished && !result.text.endsWith("\n")) {
    file.unfinished = true;
    if (now() - file.sinceMs < QUIET_UNFINISHED_MS && now() - file.untoldSinceMs < MAX_WAIT_MS) return;
  }
  file.signature = file.readSignature = result.signature;
  file.next = snapshotOfText(file, result.text) ?? file.next;
}

/** Returns the change that lets go of what vanished, after the quiet time. */
function settledChange(file: TrackedFile): Change {
  const gone = file.signature === undefined;
  const { documents = [], problems = [] } = gone ? {} : file.told ?? {};
  return { file: file.path, documents, problems, settled: true, gone };
}

function commit(files: Map<string, TrackedFile>, { gone, ...snapshot }: Change): void {
  const file = files.get(snapshot.file);
  if (gone) files.delete(snapshot.file);
  else if (file !== undefined) [file.told, file.next] = [snapshot, undefined];
}

/** Returns whether telling these changes would leave no document at all where there were some. */
function emptiesAll(files: ReadonlyMap<string, TrackedFile>, changes: readonly Change[]): boolean {
  if (changes.length === 0 || countDocuments(files) === 0) return false;
  const changed = new Map(changes.map((change) => [change.file, change]));
  return [...files.values()].every((file) => {
    const next = changed.get(file.path) ?? file.told;
    return next === undefined || (next.documents.length === 0 && next.problems.length === 0);
  });
}

function countDocuments(files: ReadonlyMap<string, TrackedFile>): number {
  return [...files.values()].reduce((sum, file) => sum + (file.told?.documents.length ?? 0), 0);
}

function noticesOf(scan: Scan, directory: string, held: number): readonly SyntaxProblem[] {
  const notices = scan.unreadable.map(({ path, reason }): SyntaxProblem => ({ file: path, line: 1, column: 1, message: `cannot be read (${reason}): its last objects are kept` }));
  if (held > 0) {
    const what = scan.rootMissing ? "the directory is gone" : "the directory holds no object any more";
    notices.push({ file: directory, line: 1, column: 1, message: `${what}: its last ${held} documents are kept; --allow-empty deletes them` });
  }
  return notices;
}

function nextDueMs(files: ReadonlyMap<string, TrackedFile>, nowMs: number): number {
  let next = Infinity;
  for (const file of files.values()) next = Math.min(next, readDueMs(file) ?? Infinity, settleDueMs(file) ?? Infinity);
  return next - nowMs;
}
