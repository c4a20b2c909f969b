// consumes: a plugin's new versions, the time, its proxies' health, and what people ask for
// produces: which version which share of its proxies gets, and the history
// never does: I/O, clocks; the same events give the same states
import type { RolloutPlan } from "./plan.ts";

/** Names a module with the settings it was checked with. */
export type VersionId = string;

export type Outcome = "serving" | "promoted" | "rolled back" | "aborted" | "undone";

export interface HistoryEntry {
  readonly version: VersionId;
  readonly atMs: number;
  readonly outcome: Outcome;
  readonly why: string;
}

/** A version on its way. */
export interface Candidate {
  readonly version: VersionId;
  readonly plan: RolloutPlan;
  /** Of `plan.steps`. */
  readonly step: number;
  readonly stepSinceMs: number;
  /** When it was first given to somebody. */
  readonly sinceMs: number;
  /**
   * Nobody has it yet: on some of its proxies another rollout is under way, and what both do together would say nothing
   * of either.
   */
  readonly waits: boolean;
}

export interface RolloutState {
  /** What all proxies get that are not in a candidate's share. */
  readonly stable: VersionId | undefined;
  readonly candidate: Candidate | undefined;
  /** The version last seen that is not to be tried again by itself: it was taken back, aborted or undone. */
  readonly refused: VersionId | undefined;
  /** Newest last, at most HISTORY entries. */
  readonly history: readonly HistoryEntry[];
}

export type RolloutEvent =
  /**
   * The plugin asks for this version; `plan` when it has a rollout annotation, `waits` when another rollout is in its
   * way.
   */
  | {
      readonly kind: "version";
      readonly version: VersionId;
      readonly plan: RolloutPlan | undefined;
      readonly waits: boolean;
      readonly nowMs: number;
    }
  /** No other rollout is in the way any more. */
  | { readonly kind: "begin"; readonly nowMs: number }
  /** The machine's clock was set, or the machine slept: what was measured by it moves along. */
  | { readonly kind: "clock"; readonly byMs: number }
  /** The control plane was started again: what the candidate did meanwhile nobody saw. */
  | { readonly kind: "resumed"; readonly nowMs: number }
  /** Time goes on, and the candidate was well until now. */
  | { readonly kind: "healthy"; readonly nowMs: number }
  /** A proxy would not load the candidate, or, without one, what all are to have. */
  | { readonly kind: "refused"; readonly why: string; readonly nowMs: number }
  /** The candidate did worse than the version before. */
  | { readonly kind: "unhealthy"; readonly why: string; readonly nowMs: number }
  | { readonly kind: "promote" | "abort" | "undo"; readonly nowMs: number };

/** The state after an event. */
export interface Advance {
  readonly state: RolloutState;
  /** Why a request of a person cannot be met; undefined when it was. */
  readonly refusal?: string;
}

export const HISTORY = 10;
/** Why, where a person decided. */
export const ASKED_FOR = "asked for";

export const newRollout: RolloutState = { stable: undefined, candidate: undefined, refused: undefined, history: [] };

/** Since when proxies get what they get now; 0 before the first version. */
export function changedAtMs({ candidate, history }: RolloutState): number {
  return candidate?.stepSinceMs ?? history.at(-1)?.atMs ?? 0;
}

/** What an event makes of a state. */
export function advance(state: RolloutState, event: RolloutEvent): Advance {
  switch (event.kind) {
    case "version":
      return { state: offer(state, event) };
    case "begin":
      return {
        state:
          state.candidate?.waits === true
            ? {
                ...state,
                candidate: { ...state.candidate, waits: false, stepSinceMs: event.nowMs, sinceMs: event.nowMs },
              }
            : state,
      };
    case "clock":
      return { state: moved(state, event.byMs) };
    case "resumed":
      return { state: resumed(state, event.nowMs) };
    case "healthy":
      return { state: goOn(state, event.nowMs) };
    case "refused":
      return state.candidate === undefined
        ? undo(state, event.why, event.nowMs)
        : { state: withdraw(state, "rolled back", event.why, event.nowMs) };
    case "unhealthy":
      return { state: withdraw(state, "rolled back", event.why, event.nowMs) };
    case "promote":
      return state.candidate === undefined
        ? { state, refusal: "no version is being rolled out" }
        : { state: settle(state, state.candidate.version, "promoted", ASKED_FOR, event.nowMs) };
    case "abort":
      return state.candidate === undefined
        ? { state, refusal: "no version is being rolled out" }
        : { state: withdraw(state, "aborted", ASKED_FOR, event.nowMs) };
    case "undo":
      return undo(state, ASKED_FOR, event.nowMs);
  }
}

/** The share of proxies, in percent, that get the candidate; 0 without one, and while it waits. */
export function candidateShare({ candidate }: RolloutState): number {
  return candidate === undefined || candidate.waits ? 0 : (candidate.plan.steps[candidate.step]?.percent ?? 0);
}

/** Whether each proxy gives a share of its requests to the candidate. A share of all of them needs no splitting. */
export function isSplit(state: RolloutState): boolean {
  const share = candidateShare(state);
  return state.candidate?.plan.of === "requests" && share > 0 && share < 100;
}

/** The version for a proxy in this bucket (0 to 99), where the candidate's share reaches so far. */
export function versionFor(state: RolloutState, bucket: number, reach: number): VersionId | undefined {
  return state.candidate !== undefined && bucket < reach ? state.candidate.version : state.stable;
}

/** Every version that may be asked for again. */
export function versionsKept({ stable, candidate, history }: RolloutState): ReadonlySet<VersionId> {
  return new Set(
    [stable, candidate?.version, ...history.map(({ version }) => version)].filter((version) => version !== undefined),
  );
}

function offer(
  state: RolloutState,
  { version, plan, waits, nowMs }: Extract<RolloutEvent, { kind: "version" }>,
): RolloutState {
  if (version === state.stable)
    return state.candidate === undefined && state.refused === undefined
      ? state
      : { ...withdrawn(state, "aborted", "the plugin asks for the version before again", nowMs), refused: undefined };
  if (version === state.refused) return state;
  if (version === state.candidate?.version)
    return plan === undefined
      ? settle(state, version, "promoted", "its rollout plan was removed", nowMs)
      : goOnBy(plan, state, state.candidate, { waits, nowMs });
  const before = withdrawn(state, "aborted", "a newer version came", nowMs);
  // The very first version has nothing to be compared with.
  if (plan === undefined || state.stable === undefined)
    return settle({ ...before, refused: undefined }, version, "serving", "", nowMs);
  return {
    ...before,
    refused: undefined,
    candidate: { version, plan, step: 0, stepSinceMs: nowMs, sinceMs: nowMs, waits },
  };
}

/**
 * An edited plan never widens a share by itself: it goes on from its last step that reaches no farther than the present
 * one, or from its first.
 */
function goOnBy(
  plan: RolloutPlan,
  state: RolloutState,
  candidate: Candidate,
  { waits, nowMs }: { readonly waits: boolean; readonly nowMs: number },
): RolloutState {
  if (JSON.stringify(plan) === JSON.stringify(candidate.plan)) return state;
  const share = candidateShare(state);
  const step = Math.max(
    0,
    plan.steps.findLastIndex(({ percent }) => percent <= share),
  );
  const isSameShare = plan.of === candidate.plan.of && plan.steps[step]?.percent === share;
  // Until now nobody had it: then it may have to wait as any other.
  const begins = share === 0 ? { waits: candidate.waits || waits, sinceMs: nowMs } : {};
  return {
    ...state,
    candidate: { ...candidate, plan, step, stepSinceMs: isSameShare ? candidate.stepSinceMs : nowMs, ...begins },
  };
}

function goOn(state: RolloutState, nowMs: number): RolloutState {
  const { candidate } = state;
  const step = candidate?.plan.steps[candidate.step];
  if (
    candidate === undefined ||
    candidate.waits ||
    step?.pauseMs === undefined ||
    nowMs - candidate.stepSinceMs < step.pauseMs
  )
    return state;
  if (candidate.step === candidate.plan.steps.length - 1)
    return settle(state, candidate.version, "promoted", "all steps passed", nowMs);
  return { ...state, candidate: { ...candidate, step: candidate.step + 1, stepSinceMs: nowMs } };
}

function moved(state: RolloutState, byMs: number): RolloutState {
  const { candidate } = state;
  return candidate === undefined
    ? state
    : {
        ...state,
        candidate: { ...candidate, stepSinceMs: candidate.stepSinceMs + byMs, sinceMs: candidate.sinceMs + byMs },
      };
}

/** However long it was not watched: at least so much of the pause must still be. */
const WATCHED_AGAIN_MS = 30_000;

function resumed(state: RolloutState, nowMs: number): RolloutState {
  const { candidate } = state;
  const pauseMs = candidate?.plan.steps[candidate.step]?.pauseMs;
  if (candidate === undefined || pauseMs === undefined) return state;
  const latest = nowMs - Math.max(0, pauseMs - WATCHED_AGAIN_MS);
  return candidate.stepSinceMs >= latest ? state : { ...state, candidate: { ...candidate, stepSinceMs: latest } };
}

function settle(state: RolloutState, version: VersionId, outcome: Outcome, why: string, nowMs: number): RolloutState {
  return {
    ...state,
    stable: version,
    candidate: undefined,
    history: remember(state, { version, atMs: nowMs, outcome, why }),
  };
}

function withdraw(state: RolloutState, outcome: Outcome, why: string, nowMs: number): RolloutState {
  return state.candidate === undefined
    ? state
    : { ...withdrawn(state, outcome, why, nowMs), refused: state.candidate.version };
}

function withdrawn(state: RolloutState, outcome: Outcome, why: string, nowMs: number): RolloutState {
  if (state.candidate === undefined) return state;
  return {
    ...state,
    candidate: undefined,
    history: remember(state, { version: state.candidate.version, atMs: nowMs, outcome, why }),
  };
}

/** Back to the version that served before the present one. */
function undo(state: RolloutState, why: string, nowMs: number): Advance {
  if (state.candidate !== undefined) return { state: withdraw(state, "undone", why, nowMs) };
  const { stable } = state;
  const before = servedBefore(state);
  if (stable === undefined || before === undefined) return { state, refusal: "there is no version before this one" };
  // The plugin may still ask for one that was undone before: a restart must not bring that back.
  return {
    state: {
      stable: before,
      candidate: undefined,
      refused: state.refused ?? stable,
      history: remember(state, { version: stable, atMs: nowMs, outcome: "undone", why }),
    },
  };
}

/** What served all before the present version did, and was not undone itself. */
function servedBefore({ history, stable }: RolloutState): VersionId | undefined {
  const served: VersionId[] = [];
  for (const { version, outcome } of history) {
    if (outcome === "serving" || outcome === "promoted") served.push(version);
    else if (outcome === "undone" && served.at(-1) === version) served.pop();
  }
  return served.findLast((version) => version !== stable);
}

/** Attempts that came to nothing go first: they must not push out what one may go back to. */
function remember({ history }: RolloutState, entry: HistoryEntry): readonly HistoryEntry[] {
  const all = [...history, entry];
  if (all.length <= HISTORY) return all;
  const failed = history.findIndex(({ outcome }) => outcome === "rolled back" || outcome === "aborted");
  return all.toSpliced(Math.max(0, failed), 1);
}
