// A file that says which process may: one at a time on this machine. Plain JavaScript without dependencies: the set-up
// runs it before node_modules exists.
//   <file>            `<process id> <when it started>`
//   <file>.removal    the same, of who removes the lock of a process that is gone
import { open, readFile, rm, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

/** Longer than any set-up takes. */
const SET_UP_MS = 20 * 60_000;
/** An empty file is a holder between open and write, unless it stays so. */
const BEGINNING_MS = 5_000;

/**
 * Returns the lock, or which live process holds it. The lock of a process that is gone is taken over, even if its id
 * lives again, and so is one older than `staleMs`, where that is given. Rejects on I/O errors.
 */
export async function takeFileLock(path, staleMs = Infinity) {
  while (!(await tryLock(path))) {
    const holder = await readHolder(path, staleMs);
    if (typeof holder === "number") return { kind: "held", by: holder };
    if (holder === "gone") await removeStale(path, staleMs);
    else await sleep(10);
  }
  return { kind: "locked", release: () => rm(path, { force: true }) };
}

/**
 * Runs `work` while this process alone holds the lock file, and returns its result; waits for another live holder, and
 * says so once through `report`. A lock whose process is gone, or which is older than 20 minutes, is taken over.
 */
export async function withFileLock(path, report, work) {
  let lock = await takeFileLock(path, SET_UP_MS);
  if (lock.kind === "held") report("another set-up is at work: waiting for it");
  for (; lock.kind === "held"; lock = await takeFileLock(path, SET_UP_MS)) await sleep(200);
  try {
    return await work();
  } finally {
    await lock.release();
  }
}

async function tryLock(path) {
  try {
    const file = await open(path, "wx", 0o600);
    await file.writeFile(`${process.pid} ${await startTimeOf(process.pid)}\n`);
    await file.close();
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}

/** One at a time, and after another look: the lock that was found stale may be another's fresh one by now. */
async function removeStale(path, staleMs) {
  const guard = `${path}.removal`;
  if (!(await tryLock(guard))) {
    if ((await readHolder(guard, SET_UP_MS)) === "gone") await rm(guard, { force: true });
    return sleep(10);
  }
  try {
    if ((await readHolder(path, staleMs)) === "gone") await rm(path, { force: true });
  } finally {
    await rm(guard, { force: true });
  }
}

/** The process that holds a lock; "gone" when it is taken over, "unknown" when one has to look again. */
async function readHolder(path, staleMs) {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(path, "utf8"), stat(path)]);
    const ageMs = Date.now() - mtimeMs;
    const [, pid, startTime] = /^(\d+)(?: (\d*))?\s*$/.exec(text) ?? [];
    if (pid === undefined) return ageMs > BEGINNING_MS ? "gone" : "unknown";
    return ageMs <= staleMs && (await isRunning(Number(pid), startTime)) ? Number(pid) : "gone";
  } catch (error) {
    if (error.code === "ENOENT") return "unknown";
    throw error;
  }
}

/** A process id is used again some day: it is the same process only if it also started when the lock says. */
async function isRunning(pid, startTime) {
  const started = await startTimeOf(pid);
  if (started !== "" && startTime) return started === startTime;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** Clock ticks since the machine's start; "" where there is no /proc, or no such process. */
async function startTimeOf(pid) {
  const line = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  // Field 22 of proc(5); the command in parentheses before it may hold spaces.
  return line.slice(line.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}
