// What a process used so far, as Linux counts it.
import { readdirSync, readFileSync } from "node:fs";

/** Ticks per second of /proc/PID/stat; 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/**
 * Returns the CPU seconds of a process with all its threads: in nanosecond steps where the kernel tells (schedstat),
 * else in ticks.
 */
export function cpuSecondsOf(pid: number): number {
  try {
    let nanoseconds = 0;
    for (const thread of readdirSync(`/proc/${pid}/task`))
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
    if (nanoseconds > 0) return nanoseconds / 1e9;
  } catch {
    // A thread ended meanwhile, or the kernel was built without these: the ticks are always there.
  }
  return ticksOf(pid) / TICKS_PER_SECOND;
}

function ticksOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name in parentheses may hold anything; what follows it starts at field 3, utime is 14 and stime 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

/** Returns the resident memory in bytes. */
export function residentBytesOf(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(line?.[1] ?? NaN) * 1024;
}

/** Returns the largest resident memory so far, in bytes. */
export function peakResidentBytesOf(pid: number): number {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(line?.[1] ?? NaN) * 1024;
}
