// The processes of this machine, as /proc shows them.
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";

/** A process that lives; what may not be read of it is empty. */
export interface LivingProcess {
  readonly pid: number;
  /** Its command line. */
  readonly words: readonly string[];
  /** `NAME=value` each. */
  readonly environment: readonly string[];
  readonly directory: string;
}

function read<T>(what: () => T, otherwise: T): T {
  try {
    return what();
  } catch {
    return otherwise;
  }
}

const linesOf = (pid: number, name: string): readonly string[] =>
  read(() => readFileSync(`/proc/${pid}/${name}`, "utf8"), "").split("\0");

/** Whether a process is there and has not ended: one that nobody has waited for yet is there, but dead. */
export function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`) && !/\) Z /.test(read(() => readFileSync(`/proc/${pid}/stat`, "utf8"), ""));
}

/** All but this one. */
export function processes(): readonly LivingProcess[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && isAlive(pid))
    .map((pid) => ({
      pid,
      words: linesOf(pid, "cmdline"),
      environment: linesOf(pid, "environ"),
      directory: read(() => readlinkSync(`/proc/${pid}/cwd`), ""),
    }));
}
