// What is wrong, told to people as it appears.
import { unitOf } from "../model/origin.ts";
import type { StoreViolation } from "../store/objects-in-force.ts";
import { formatViolation } from "../validate/violation.ts";

/**
 * Returns what says each problem once, in one line, when it is there for the first time; one that went and came back is
 * said again.
 */
export function createComplaints(say: (line: string) => void): (problems: readonly StoreViolation[]) => void {
  let told: ReadonlySet<string> = new Set();
  return (problems) => {
    const now = new Map(problems.map((problem) => [keyOf(problem), problem]));
    for (const [key, problem] of now) if (!told.has(key)) say(describe(problem));
    told = new Set(now.keys());
  };
}

/** Without the place or the version: a problem that only moved is no news. */
function keyOf({ origin, object, field, message }: StoreViolation): string {
  return [unitOf(origin), object, field, message].join("\0");
}

function describe(problem: StoreViolation): string {
  const isServed = problem.severity === "error" && problem.servingLastGood;
  return `${formatViolation(problem)}${isServed ? " (the last good version stays in force)" : ""}`;
}
