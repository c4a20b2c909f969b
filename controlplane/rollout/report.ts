// What people and the admin page are told of all plugins' rollouts.
import type { Clock } from "../telemetry/clock.ts";
import type { Knowledge } from "./knowledge.ts";
import { changedAtMs, type RolloutState } from "./state.ts";
import {
  heldBack,
  type RolloutProblem,
  type RolloutStatus,
  refusedSentence,
  statusOf,
  takenBack,
  trapSentence,
} from "./status.ts";

/** Why a proxy refused a plugin's configuration at that time or later; undefined when none did. */
export type Refusals = (plugin: string, sinceMs: number) => string | undefined;

export interface ReportOptions {
  /** What proxies refuse now. */
  readonly refusals: () => Refusals;
  readonly clock: Pick<Clock, "nowMs">;
}

export interface Report {
  problems(): readonly RolloutProblem[];
  /** Why not every proxy has what a plugin (`<namespace>/<name>`) asks for, as far as versions are the reason. */
  heldBack(plugin: string): string | undefined;
  status(): readonly RolloutStatus[];
}

/** What proxies refused before the last change they have taken back by then, unless it is what they refuse now. */
const ANSWERED_AFTER_MS = 3_000;

/** Returns the report on what is known. */
export function createReport(options: ReportOptions, known: Knowledge): Report {
  const { entries, versions, standIns } = known;
  return {
    problems: () => [...entries.keys()].flatMap((plugin) => problemsOf(plugin, known)),
    heldBack(plugin) {
      const state = versions.of(plugin);
      return heldBack(state, standIns.for(plugin, state.stable));
    },
    status() {
      const refusals = options.refusals();
      return [...entries.keys()].map((plugin) =>
        statusNow(plugin, known, currentRefusal(refusals, plugin, versions.of(plugin), options.clock.nowMs())),
      );
    },
  };
}

/** Returns why proxies refuse what they have now of a plugin. */
export function currentRefusal(
  refusals: Refusals,
  plugin: string,
  state: RolloutState,
  nowMs: number,
): string | undefined {
  const sinceMs = changedAtMs(state);
  return refusals(plugin, nowMs - sinceMs > ANSWERED_AFTER_MS ? 0 : sinceMs);
}

function statusNow(
  plugin: string,
  { versions, standIns, judge, proxiesOf, isFirst, inTheWayOf, trapsOf }: Knowledge,
  refusal: string | undefined,
): RolloutStatus {
  const state = versions.of(plugin);
  return statusOf(plugin, state, {
    proxies: proxiesOf(plugin),
    isFirst: (address) => isFirst(plugin, address),
    waitsFor: state.candidate?.waits === true ? inTheWayOf(plugin) : [],
    traps: trapsOf(plugin),
    missingMetric: state.candidate === undefined ? undefined : judge.missingMetric(plugin),
    refusal: refusal ?? standIns.for(plugin, state.stable),
  });
}

function problemsOf(plugin: string, { entries, versions, standIns, trapsOf }: Knowledge): readonly RolloutProblem[] {
  const entry = entries.get(plugin);
  if (entry === undefined) return [];
  const state = versions.of(plugin);
  const refusal = standIns.for(plugin, state.stable);
  const found: readonly (readonly [RolloutProblem["kind"], string | undefined])[] = [
    ["plan", entry.problem],
    ["refused", refusal === undefined ? undefined : refusedSentence(refusal)],
    ["taken back", takenBack(state)],
    ...trapsOf(plugin).map((summary) => ["trap", trapSentence(summary)] as const),
  ];
  return found.flatMap(([kind, message]) => (message === undefined ? [] : [{ kind, object: entry.object, message }]));
}
