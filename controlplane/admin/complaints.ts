// What is wrong, told to people as it appears.
import { formatViolation } from "../validate/violation.ts";
import type { ViolationReport } from "./contract.ts";

/**
 * Returns what says each problem once, in one line, when it is there for the first time; one that went and came back is
 * said again.
 */
export function createComplaints(say: (line: string) => void): (problems: readonly ViolationReport[]) => void {
  let told: ReadonlySet<string> = new Set();
  return (problems) => {
    const now = new Map(problems.map((problem) => [keyOf(problem), problem]));
    for (const [key, problem] of now) if (!told.has(key)) say(describe(problem));
    told = new Set(now.keys());
  };
}

/** Without the place: a problem that only moved is no news. */
function keyOf({ file, object, field, message }: ViolationReport): string {
  return [file, object, field, message].join("\0");
}

function describe({ severity = "error", servingLastGood, ...problem }: ViolationReport): string {
  return `${formatViolation({ ...problem, severity })}${severity === "error" && servingLastGood ? " (the last good version stays in force)" : ""}`;
}
