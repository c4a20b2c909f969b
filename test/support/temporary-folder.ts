// One folder for all that a run of tests writes: removed with the run, and by the next one where that was cut off.
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const NAME = "scrim-tests-";

/** Returns the folder of this process's run, which is not there yet. */
export function temporaryFolder(): string {
  return join(tmpdir(), `${NAME}${process.pid}`);
}

/** Makes the folder; what it returns removes it. */
export default function setUp(): () => void {
  for (const name of readdirSync(tmpdir()))
    if (name.startsWith(NAME) && !isRunning(Number(name.slice(NAME.length))))
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
  const folder = temporaryFolder();
  mkdirSync(folder, { recursive: true });
  return () => rmSync(folder, { recursive: true, force: true });
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
