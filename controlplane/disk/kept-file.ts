// A file that follows what is in memory: written when that changed, and tried again until the disk takes it.
import { replaceFile } from "./replace-file.ts";

export interface KeptFile {
  /** The content is another now: it is written after the quiet time, so that a burst of changes is written once. */
  changed(): void;
  /** Writes at once what was not written yet; resolves when that is done, or the disk would not take it. */
  flush(): Promise<void>;
}

/** Told of every attempt. */
export interface DiskNews {
  failed(path: string, error: unknown): void;
  written(path: string): void;
}

export interface KeptFileOptions {
  readonly path: string;
  /** What is to be written, as it is by then. */
  readonly content: () => string;
  readonly news: DiskNews;
  /** Rejects when it is aborted. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly quietMs: number;
  /** How long after a failure it is tried again. */
  readonly againMs?: number;
}

const AGAIN_MS = 5_000;

/** A file of which nothing is known to have changed. */
export function createKeptFile({ path, content, news, sleep, quietMs, againMs = AGAIN_MS }: KeptFileOptions): KeptFile {
  let isDue = false;
  let running: Promise<void> | undefined;
  let hurry = new AbortController();

  const write = async (): Promise<boolean> => {
    isDue = false;
    const isWritten = await attempt(path, content, news);
    if (!isWritten) isDue = true;
    return isWritten;
  };
  const run = async (): Promise<void> => {
    let waitMs = quietMs;
    while (isDue) {
      await sleep(waitMs, hurry.signal).catch(() => undefined);
      const isLast = hurry.signal.aborted;
      const isWritten = await write();
      if (isLast && !isWritten) break;
      waitMs = isWritten ? quietMs : againMs;
    }
    // Here and not when it has resolved: a change between the two would start nothing.
    running = undefined;
  };
  const start = (): void => void (running ??= run());
  return {
    changed() {
      isDue = true;
      start();
    },
    async flush() {
      hurry.abort();
      if (isDue) start();
      await running;
      hurry = new AbortController();
    },
  };
}

/** Returns whether the disk took it. */
async function attempt(path: string, content: () => string, news: DiskNews): Promise<boolean> {
  try {
    await replaceFile(path, content());
    news.written(path);
    return true;
  } catch (error) {
    news.failed(path, error);
    return false;
  }
}

/** News of all files under a directory, as one sentence when the first cannot be written and one when all are again. */
export function createDiskNews(directory: string, say: (sentence: string) => void): DiskNews {
  const failing = new Set<string>();
  return {
    failed(path, error) {
      if (failing.size === 0)
        say(
          `The state directory ${directory} cannot be written (${reasonOf(error)}): proxies are served on, ` +
            "but a restart would not know what changed since; make room there, or make it writable.",
        );
      failing.add(path);
    },
    written(path) {
      if (failing.delete(path) && failing.size === 0)
        say(`The state directory ${directory} can be written again, and everything is kept.`);
    },
  };
}

/** As in `ENOSPC: no space left on device`: which temporary file it was about tells nobody anything. */
function reasonOf(error: unknown): string {
  return error instanceof Error ? (error.message.split(",")[0] ?? "") : String(error);
}
