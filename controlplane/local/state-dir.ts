// The state directory: one mesh at a time, readable by its owner only.
import { chmod, mkdir, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";

export type StateDirResult =
  | { readonly kind: "locked"; readonly release: () => Promise<void> }
  | { readonly kind: "refused"; readonly message: string };

/** Makes and locks the directory; a lock whose process is gone is taken over. */
export async function lockStateDir(path: string): Promise<StateDirResult> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await chmod(path, 0o700);
  } catch (error) {
    return {
      kind: "refused",
      message: `The state directory ${path} cannot be made (${(error as NodeJS.ErrnoException).code}): choose another with --state-dir.`,
    };
  }
  const lock = join(path, "lock");
  for (let attempt = 0; attempt < 3; attempt++) {
    if (await writeLock(lock)) return { kind: "locked", release: () => rm(lock, { force: true }) };
    const holder = await readHolder(lock);
    if (holder !== undefined)
      return {
        kind: "refused",
        message: `The state directory ${path} is in use by process ${holder}: stop that mesh, or give this one another with --state-dir.`,
      };
    await rm(lock, { force: true });
  }
  return { kind: "refused", message: `The state directory ${path} cannot be locked: choose another with --state-dir.` };
}

async function writeLock(lock: string): Promise<boolean> {
  try {
    const file = await open(lock, "wx", 0o600);
    await file.writeFile(`${process.pid} ${await startTimeOf(process.pid)}\n`);
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** A process id is used again some day: the holder is alive only if it also started when the lock says. */
async function readHolder(lock: string): Promise<number | undefined> {
  const [pid, startTime] = (await readFile(lock, "utf8").catch(() => "")).trim().split(" ");
  const alive = pid !== undefined && pid !== "" && (await startTimeOf(Number(pid))) === startTime && startTime !== "";
  return alive ? Number(pid) : undefined;
}

async function startTimeOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  // Field 22 of proc(5); the command in parentheses before it may hold spaces.
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}
