// What is wrong, told to people as it appears.
import { unitOf } from "../model/origin.ts";
import type { StoreViolation } from "../store/objects-in-force.ts";
import type { Protection } from "../store/protection.ts";
import { formatViolation } from "../validate/violation.ts";

/**
 * Returns what says each problem once, in one line, when it is there for the first time; one that went and came back is
 * said again. An object, or a file, of which nothing is wrong any more is named once.
 */
export function createComplaints(say: (line: string) => void): (problems: readonly StoreViolation[]) => void {
  let told: ReadonlySet<string> = new Set();
  let wrong: ReadonlyMap<string, StoreViolation> = new Map();
  return (problems) => {
    const now = new Map(problems.map((problem) => [keyOf(problem), problem]));
    for (const [key, problem] of now) if (!told.has(key)) say(describe(problem));
    told = new Set(now.keys());
    const stillWrong = new Map(problems.map((problem) => [`${unitOf(problem.origin)}\0${problem.object}`, problem]));
    for (const [key, problem] of wrong)
      if (!stillWrong.has(key)) say(`${subjectOf(problem)}: nothing is wrong any more`);
    wrong = stillWrong;
  };
}

const PROTECTION: Readonly<Record<Protection, string>> = {
  "not enforced": " -- SECURITY: what it says is NOT ENFORCED",
  "traffic refused": " -- SECURITY: it cannot be enforced, so its host is NOT REACHED until it is mended",
};

/** Without the place or the version: a problem that only moved is no news. */
function keyOf({ origin, object, field, message }: StoreViolation): string {
  return [unitOf(origin), object, field, message].join("\0");
}

function subjectOf({ origin, object }: StoreViolation): string {
  return [origin.kind === "file" ? origin.path : "", object].filter((part) => part !== "").join(": ");
}

function describe(problem: StoreViolation): string {
  const isServed = problem.severity === "error" && problem.servingLastGood;
  const inForce = isServed ? " (the last good version stays in force)" : "";
  return `${formatViolation(problem)}${inForce}${problem.protection ? PROTECTION[problem.protection] : ""}`;
}
