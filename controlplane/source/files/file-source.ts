// Consumes: a directory of YAML and JSON files, as it changes.
// Produces: batches of what each changed file holds, in the order of paths.
// Never does: judge documents, tell half-written text, or tell that everything is gone unless that is allowed.
// By hand though libraries watch files: they tell that something happened, while last-good YAML hangs on when a text is
// whole (put there by a rename, or quiet long enough) and when what vanished is really gone (editors that write by
// deleting, links swapped in mounted volumes, directories for which the system has no watches left).
import type { SourceBatch } from "../../model/document.ts";
import { createDirectoryLooks } from "./directory-looks.ts";
import { dueChanges, nextDueMs } from "./due-changes.ts";
import type { ParseAside } from "./parse-ahead.ts";
import { createTelling } from "./telling.ts";
import type { TrackedFile } from "./tracked-file.ts";

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
   * given. The rest: several times less often.
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
  const { directory, clock, name = directory, include = () => true, rescanMs = 250, parseAside } = options;
  const files = new Map<string, TrackedFile>();
  const ending = new AbortController();
  const { signal } = ending;
  let wake: () => void = () => {};
  let running: Promise<void> = Promise.resolve();
  const looks = createDirectoryLooks({ directory, clock, include, rescanMs, files, signal, onHint: () => wake() });
  const telling = createTelling({ directory, name, allowEmpty: options.allowEmpty === true, files });
  const reading = { now: () => clock.monotonicMs(), wasWritten: looks.wasWritten, parseAside, parsed: () => wake() };

  async function round(tell: (batch: SourceBatch) => void, first: boolean): Promise<void> {
    await looks.look();
    if (signal.aborted) return;
    const changes = await dueChanges(files, { ...reading, first });
    if (signal.aborted) return;
    const batch = telling.batchOf(changes, looks.scan(), first);
    if (batch !== undefined) tell(batch);
  }

  async function watchOn(tell: (batch: SourceBatch) => void): Promise<void> {
    while (!signal.aborted) {
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      if (looks.isHinted()) wake();
      await round(tell, false);
      const nowMs = clock.monotonicMs();
      const dueMs = telling.isHolding() ? Infinity : nextDueMs(files, nowMs);
      await sleepUnlessWoken(clock, Math.min(looks.nextLookMs(nowMs), dueMs), woken);
    }
  }

  return {
    async start(onChange) {
      await round(onChange, true);
      running = watchOn(onChange);
    },
    async stop() {
      ending.abort();
      wake();
      looks.close();
      await running;
    },
    allowEmpty() {
      telling.allowEmpty();
      wake();
    },
  };
}

async function sleepUnlessWoken(clock: SourceClock, ms: number, woken: Promise<void>): Promise<void> {
  const over = new AbortController();
  // `stop` wakes. A signal that depended on the source's own would be known to it for as long as the source lives:
  // AbortSignal.any forgets none.
  const slept = clock.sleep(Math.max(ms, 5), over.signal).catch(() => undefined);
  await Promise.race([slept, woken]);
  over.abort();
}
