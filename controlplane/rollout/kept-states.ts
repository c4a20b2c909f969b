// The states of rollouts on disk, so that a restart goes on where it was.
import { readFile } from "node:fs/promises";
import { replaceFile } from "../disk/replace-file.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { RolloutState } from "./state.ts";

export interface StateKeeper {
  /** Writes the states as they are by then; a disk that cannot be written costs what a restart would have known. */
  keep(): void;
  /** Returns what was kept; nothing where there is nothing that can be read. */
  read(): Promise<readonly (readonly [string, RolloutState])[]>;
}

/** Returns the states' keeper: it writes one after the other. */
export function createKeeper(path: string, states: ReadonlyMap<string, RolloutState>, log: Pick<Logger, "warn">): StateKeeper {
  let writing: Promise<void> = Promise.resolve();
  return {
    keep() {
      writing = writing.then(() => replaceFile(path, JSON.stringify([...states]))).catch((error: unknown) => log.warn({ error: String(error) }, "the state of rollouts cannot be kept for the next start"));
    },
    async read() {
      try {
        const value: unknown = JSON.parse(await readFile(path, "utf8"));
        return Array.isArray(value) ? value.filter(isStateEntry) : [];
      } catch {
        return [];
      }
    },
  };
}

function isStateEntry(value: unknown): value is readonly [string, RolloutState] {
  if (!Array.isArray(value) || typeof value[0] !== "string") return false;
  const state: unknown = value[1];
  return typeof state === "object" && state !== null && "history" in state && Array.isArray(state.history);
}
