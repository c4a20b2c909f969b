// What a directory's documents look like from outside: at once those that watches hint at, and now and then all.
import { createHints } from "./hints.ts";
import { isLeaf, type FileSignature, type Scan, scanDirectory, signatureAt } from "./scan.ts";
import { observe, type TrackedFile, trackFile } from "./tracked-file.ts";
import { createDirectoryWatch, type HintKind } from "./watch-directories.ts";

export interface LookOptions {
  readonly directory: string;
  readonly clock: { monotonicMs(): number };
  /** Which documents are looked at, by path. */
  readonly include: (path: string) => boolean;
  /** How often what cannot be watched is looked at; the rest EVERYTHING_AFTER times less often. */
  readonly rescanMs: number;
  /** Where what is seen is noted, by path. */
  readonly files: Map<string, TrackedFile>;
  /** Called when there is something to look at. */
  readonly onHint: () => void;
  /** Aborted when nothing is to be noted any more. */
  readonly signal: AbortSignal;
}

export interface DirectoryLooks {
  /** Looks at everything, or only at what was hinted at and what cannot be watched. */
  look(): Promise<void>;
  /** Whether something was hinted at since the last look. */
  isHinted(): boolean;
  /** Whether the file was written to since the last look. */
  wasWritten(path: string): boolean;
  /** In how many milliseconds to look again without a hint; 0 or less: now. */
  nextLookMs(nowMs: number): number;
  /** The directory as it was when everything was looked at last. */
  scan(): Scan;
  close(): void;
}

/**
 * Everything is looked at so many times less often than what cannot be watched: watches may miss something, but hardly
 * ever do.
 */
const EVERYTHING_AFTER = 8;

const NOTHING: Scan = {
  files: new Map(),
  links: new Set(),
  directories: new Map(),
  unreadable: [],
  rootMissing: false,
};

/** Returns looks at a directory, of which the first one sees everything. */
export function createDirectoryLooks(options: LookOptions): DirectoryLooks {
  const { directory, clock, include, rescanMs, files, onHint, signal } = options;
  const hints = createHints();
  const watch = createDirectoryWatch((path, kind) => {
    hints.note(path, kind);
    onHint();
  });
  let scan = NOTHING;
  /** When everything is looked at again, hint or no hint. */
  let scanDueMs = -Infinity;

  async function lookAtEverything(hinted: ReadonlyMap<string, HintKind>, startedMs: number): Promise<void> {
    scan = await scanDirectory(directory);
    if (signal.aborted) return;
    // What changed before a directory was watched was not hinted at.
    const isNew = watch.follow(scan.directories);
    observeAll(files, scan, include, hinted, clock.monotonicMs());
    const isWatched = watch.isComplete() && !isNew && !scan.rootMissing && scan.unreadable.length === 0;
    const everythingMs = isWatched ? EVERYTHING_AFTER * rescanMs : rescanMs;
    // Looking at a large tree must not become the process's main work.
    scanDueMs = startedMs + Math.max(everythingMs, 20 * (clock.monotonicMs() - startedMs));
  }

  function lookAtDocuments(hinted: ReadonlyMap<string, HintKind>): void {
    for (const path of new Set([...hinted.keys(), ...scan.links])) {
      if (!include(path)) continue;
      const signature = signatureAt(path);
      if (signature === "unknown") scanDueMs = -Infinity;
      else observePath(files, path, signature, hinted.get(path) === "put", clock.monotonicMs());
    }
  }

  return {
    async look() {
      const hinted = hints.take();
      const startedMs = clock.monotonicMs();
      const isAnywhere =
        hinted.anything || [...hinted.others].some((path) => scan.directories.has(path) || !isLeaf(path));
      if (isAnywhere || startedMs >= scanDueMs) await lookAtEverything(hinted.documents, startedMs);
      else lookAtDocuments(hinted.documents);
    },
    isHinted: () => !hints.isEmpty(),
    wasWritten: hints.wasWritten,
    nextLookMs: (nowMs) => Math.min(scan.links.size > 0 ? rescanMs : Infinity, scanDueMs - nowMs),
    scan: () => scan,
    close: () => watch.close(),
  };
}

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
