// The states of rollouts on disk, so that a restart goes on where it was.
import { readFile } from "node:fs/promises";
import { createKeptFile, type KeptFile, type KeptFileOptions } from "../disk/kept-file.ts";
import type { RolloutPlan } from "./plan.ts";
import type { Candidate, HistoryEntry, RolloutState } from "./state.ts";

export interface StateKeeper extends Pick<KeptFile, "flush"> {
  /**
   * Writes the states as they are by then, again and again until the disk takes them; meanwhile that costs what a
   * restart would have known.
   */
  keep(): void;
  /** Returns what was kept; nothing where there is nothing that can be read. */
  read(): Promise<readonly (readonly [string, RolloutState])[]>;
}

/** Returns the states' keeper: it writes one after the other. */
export function createKeeper(
  how: Pick<KeptFileOptions, "path" | "news" | "sleep">,
  states: ReadonlyMap<string, RolloutState>,
): StateKeeper {
  const file = createKeptFile({ ...how, content: () => JSON.stringify([...states]), quietMs: 0 });
  return {
    keep: () => file.changed(),
    flush: () => file.flush(),
    async read() {
      try {
        const value: unknown = JSON.parse(await readFile(how.path, "utf8"));
        return Array.isArray(value) ? value.flatMap(readEntry) : [];
      } catch {
        return [];
      }
    },
  };
}

function readEntry(value: unknown): readonly (readonly [string, RolloutState])[] {
  if (!Array.isArray(value) || typeof value[0] !== "string" || !isRecord(value[1])) return [];
  const { stable, candidate, refused, history } = value[1];
  if (!Array.isArray(history)) return [];
  return [
    [
      value[0],
      {
        stable: text(stable),
        candidate: readCandidate(candidate),
        refused: text(refused),
        history: history.filter(isHistoryEntry),
      },
    ],
  ];
}

/** A candidate that cannot be read begins anew: its plugin asks for it again. */
function readCandidate(value: unknown): Candidate | undefined {
  if (!isRecord(value)) return undefined;
  const { version, plan, step, stepSinceMs, sinceMs, waits } = value;
  if (
    typeof version !== "string" ||
    typeof stepSinceMs !== "number" ||
    typeof step !== "number" ||
    !isPlan(plan) ||
    plan.steps[step] === undefined
  )
    return undefined;
  return {
    version,
    plan,
    step,
    stepSinceMs,
    sinceMs: typeof sinceMs === "number" ? sinceMs : stepSinceMs,
    waits: waits === true,
  };
}

function isPlan(value: unknown): value is RolloutPlan {
  if (
    !isRecord(value) ||
    (value["of"] !== "proxies" && value["of"] !== "requests") ||
    !Array.isArray(value["steps"]) ||
    !isRecord(value["rollback"])
  )
    return false;
  const { errorRate, latency, minimumRequests } = value["rollback"];
  return (
    [errorRate, latency, minimumRequests].every((limit) => typeof limit === "number") &&
    value["steps"].every((step: unknown) => isRecord(step) && typeof step["percent"] === "number")
  );
}

function isHistoryEntry(value: unknown): value is HistoryEntry {
  return (
    isRecord(value) &&
    typeof value["version"] === "string" &&
    typeof value["atMs"] === "number" &&
    typeof value["outcome"] === "string" &&
    typeof value["why"] === "string"
  );
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
