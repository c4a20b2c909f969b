import { open, readFile, rm, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const STALE_MS = 20 * 60_000;

/**
 * Runs `work` while this process alone holds the lock file, and returns its result; waits for another live holder, and
 * says so once through `report`. A lock whose process is gone, or which is older than 20 minutes, is taken over.
 */
export async function withFileLock(path, report, work) {
  let told = false;
  while (!(await tryLock(path))) {
    if (await isStale(path)) {
      await removeStale(path);
      continue;
    }
    if (!told) report("another set-up is at work: waiting for it");
    told = true;
    await sleep(200);
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function tryLock(path) {
  try {
    const file = await open(path, "wx", 0o600);
    await file.writeFile(`${process.pid}\n`);
    await file.close();
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}

/** One at a time, and after another look: the lock that was found stale may be another's fresh one by now. */
async function removeStale(path) {
  const guard = `${path}.removal`;
  if (!(await tryLock(guard))) {
    if (await isStale(guard)) await rm(guard, { force: true });
    return sleep(10);
  }
  try {
    if (await isStale(path)) await rm(path, { force: true });
  } finally {
    await rm(guard, { force: true });
  }
}

async function isStale(path) {
  try {
    const [text, info] = await Promise.all([readFile(path, "utf8"), stat(path)]);
    const pid = Number(text);
    // An empty file is a holder between open and write, unless it stays so.
    if (!Number.isInteger(pid) || pid <= 0) return Date.now() - info.mtimeMs > 5_000;
    return Date.now() - info.mtimeMs > STALE_MS || !isAlive(pid);
  } catch (error) {
    return error.code !== "ENOENT" ? Promise.reject(error) : false;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}
