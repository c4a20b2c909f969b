// When a file's content may have changed. By asking, not by fs.watch: that follows neither symlinks nor a file that is
// not there yet.
import { stat } from "node:fs/promises";
import type { Clock } from "../telemetry/clock.ts";

const POLL_MS = 200;

/**
 * Returns what tells one state of a module's file and its signature's (`x.wasm.sig`) from another; "" when there is no
 * module.
 */
export async function fileMark(path: string): Promise<string> {
  const [module, signature] = await Promise.all([markOf(path), markOf(`${path}.sig`)]);
  return module === "" ? "" : `${module}, ${signature}`;
}

async function markOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeMs, ctimeMs } = await stat(path);
    return [ino, size, mtimeMs, ctimeMs].join(" ");
  } catch {
    return "";
  }
}

/**
 * Resolves with the new mark once the file's mark differs from `mark` and then stayed the same for one poll, so that a
 * half-written file is seldom read.
 */
export async function nextMark(path: string, mark: string, clock: Clock, signal: AbortSignal): Promise<string> {
  let last = mark;
  for (;;) {
    await clock.sleep(POLL_MS, signal);
    const now = await fileMark(path);
    if (now !== mark && now === last) return now;
    last = now;
  }
}
