// What cannot be read of a cluster, as its operators are told. Pure.
import type { SourceProblem } from "../../model/document.ts";
import type { KubernetesOrigin } from "../../model/origin.ts";
import type { CollectionState } from "../../kubernetes/list-watch.ts";

/** How it stands with one collection, and since when. */
export interface Reading {
  /** As in `pods`, `gateways.networking.istio.io`. */
  readonly what: string;
  readonly state: CollectionState;
  readonly sinceMs: number;
  readonly isNeeded: boolean;
}

/** A watch that was cut, or an API server that starts anew, is nobody's concern. */
const WORTH_TELLING_MS = 10_000;

/** Whether the collection's state is as good as it gets: what waits for it may go on. */
export function isSettled({ state, isNeeded }: Pick<Reading, "state" | "isNeeded">): boolean {
  return state.kind === "following" || state.kind === "absent" || (state.kind === "forbidden" && !isNeeded);
}

/** Returns what is worth telling, one problem for each cause. */
export function readingProblems(readings: Iterable<Reading>, nowMs: number): readonly SourceProblem[] {
  const byCause = new Map<string, string[]>();
  for (const { what, state, sinceMs } of readings) {
    if (state.kind !== "forbidden" && state.kind !== "unreadable") continue;
    if (state.kind === "unreadable" && nowMs - sinceMs < WORTH_TELLING_MS) continue;
    const kinds = byCause.get(state.message) ?? [];
    byCause.set(state.message, [...kinds, what]);
  }
  return [...byCause].map(([message, kinds]) => ({
    origin: origin(kinds.length === 1 ? (kinds[0] ?? "") : "API server"),
    message:
      `cannot be read (${message}): what was last heard of ${namesOf(kinds)} stays in force, ` +
      "and what was never heard of is not there",
  }));
}

function namesOf(kinds: readonly string[]): string {
  return kinds.length > 3 ? `${kinds.length} kinds` : kinds.join(", ");
}

function origin(object: string): KubernetesOrigin {
  return { kind: "kubernetes", object, uid: "", resourceVersion: "" };
}
