import { fstatSync, writeFileSync } from "node:fs";
import type { Clock } from "../telemetry/clock.ts";

/** Where commands write; passed in, so that tests can read it. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
}

/**
 * Returns the process's own standard streams. What a full disk does not take is lost: a mesh goes on without. A command
 * whose output was lost ends with code 1.
 */
export function createTerminal(): Terminal {
  return {
    out: writerTo(process.stdout, () => void (process.exitCode = 1)),
    err: writerTo(process.stderr, () => undefined),
  };
}

/** Returns what writes lines that begin with the time of day, here: `15:04:05 …`. */
export function timed(clock: Clock, write: (text: string) => void): (line: string) => void {
  return (line) => write(`${new Date(clock.nowMs()).toTimeString().slice(0, 8)} ${line}\n`);
}

function writerTo(stream: NodeJS.WriteStream & { readonly fd: number }, lost: () => void): (text: string) => void {
  // Whoever reads our output may stop reading: `scrim ps | head -1`.
  stream.on("error", () => undefined);
  if (stream.isTTY || !isOnDisk(stream.fd)) return (text) => void stream.write(text);
  // Each text by itself: a stream that failed once takes nothing any more, also when there is room again.
  return (text) => {
    try {
      writeFileSync(stream.fd, text);
    } catch {
      lost();
    }
  };
}

function isOnDisk(fd: number): boolean {
  try {
    const stats = fstatSync(fd);
    return stats.isFile() || stats.isCharacterDevice();
  } catch {
    return false;
  }
}
