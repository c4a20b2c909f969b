// Processes and directories of tests and benches, and their end: with the process that made them, whatever ends it.
import { type ChildProcess, spawn, type SpawnOptions } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const running = new Set<ChildProcess>();
const directories = new Set<string>();

function endAll(): void {
  for (const child of running) child.kill("SIGKILL");
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
}

let isArmed = false;
function endAllAtTheEnd(): void {
  if (isArmed) return;
  isArmed = true;
  process.once("exit", endAll);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(130));
}

/** Starts a process that ends with this one. */
export function startChild(file: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  endAllAtTheEnd();
  const child = spawn(file, args, options);
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

/** Ends a process and resolves when it is gone. */
export async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
}

/** Returns a new directory that vanishes with this process. */
export function scratchDirectory(): string {
  endAllAtTheEnd();
  const directory = mkdtempSync(join(tmpdir(), "scrim-scratch-"));
  directories.add(directory);
  return directory;
}

/** Removes what `scratchDirectory` returned, before this process ends. */
export function removeScratchDirectory(directory: string): void {
  directories.delete(directory);
  rmSync(directory, { recursive: true, force: true });
}
