// What is said of a plugin's versions: to whoever asks, and to the log when something became of one.
import type { MeshObject } from "../model/object.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { WatchedProxy } from "./judgement.ts";
import { ASKED_FOR, candidateShare, isSplit, type RolloutState } from "./state.ts";
import type { TrapSummary } from "./trap-counts.ts";

export interface RolloutStatus extends RolloutState {
  /** `<namespace>/<name>` */
  readonly plugin: string;
  readonly sharePercent: number;
  readonly proxies: { readonly candidate: number; readonly all: number };
  /** The plugins whose rollouts a waiting version waits for. */
  readonly waitsFor: readonly string[];
  /** Why a proxy would not have what it was given, and stayed with what it had. */
  readonly refusal?: string;
  /** A counter that the plan names and that no proxy with the new version has: it watches nothing. */
  readonly missingMetric?: string;
  /** Of the version that serves and of the new one. */
  readonly traps: readonly TrapSummary[];
}

/**
 * What an operator is to know of a plugin: `plan`, `refused` (nothing serves in its place) and `taken back` (the
 * version before does) are errors, `trap` a warning.
 */
export interface RolloutProblem {
  readonly kind: "plan" | "refused" | "taken back" | "trap";
  readonly object: MeshObject<"WasmPlugin">;
  readonly message: string;
}

/** What status is made of, beside the state itself. */
export type StatusParts = Pick<RolloutStatus, "waitsFor" | "traps"> & {
  readonly refusal: string | undefined;
  readonly missingMetric: string | undefined;
  readonly proxies: readonly WatchedProxy[];
  readonly isFirst: (address: string) => boolean;
};

/** Returns the status of one plugin. */
export function statusOf(
  plugin: string,
  state: RolloutState,
  { proxies, isFirst, waitsFor, traps, refusal, missingMetric }: StatusParts,
): RolloutStatus {
  const first = isSplit(state) ? proxies : proxies.filter(({ address }) => isFirst(address));
  return {
    plugin,
    ...state,
    sharePercent: candidateShare(state),
    proxies: { candidate: first.length, all: proxies.length },
    waitsFor,
    traps,
    ...(refusal !== undefined && { refusal }),
    ...(missingMetric !== undefined && { missingMetric }),
  };
}

/** Returns the sentence that tells of a version's traps; the same however many there are. */
export function trapSentence({ version, first: { callback, proxy, message } }: TrapSummary): string {
  return (
    `the version ${version} trapped in ${callback}, the first time on ${proxy}: ${message}; ` +
    "failStrategy says what happens to requests, `scrim rollout status` how often it was"
  );
}

/**
 * Returns why the version that a plugin asked for last was taken back without anybody asking for that; undefined when
 * it was not.
 */
export function takenBack({ refused, history }: RolloutState): string | undefined {
  const entry = history.findLast(({ version }) => version === refused);
  const isByItself = entry?.outcome === "rolled back" || (entry?.outcome === "undone" && entry.why !== ASKED_FOR);
  return refused === undefined || entry === undefined || !isByItself
    ? undefined
    : `the version ${refused} was taken back: ${entry.why}; it is not tried again until the plugin asks for another`;
}

/**
 * Returns why not every proxy has what its plugin asks for, as far as versions are the reason; undefined when all may
 * have it.
 */
export function heldBack(state: RolloutState, standIn: string | undefined): string | undefined {
  const { candidate, refused, history } = state;
  if (candidate?.waits === true) return `the new version ${candidate.version} waits for another plugin's rollout`;
  if (candidate !== undefined)
    return (
      `the new version ${candidate.version} is being rolled out, ` +
      `now to ${candidateShare(state)} % of the ${candidate.plan.of}`
    );
  if (refused !== undefined) {
    const outcome = history.findLast(({ version }) => version === refused)?.outcome ?? "taken back";
    return (
      takenBack(state) ??
      `the version ${refused} was ${outcome}, and is not tried again until the plugin asks for another`
    );
  }
  return standIn === undefined ? undefined : refusedSentence(standIn);
}

/** Returns the sentence that tells of a version which proxies would not load where there is none to go back to. */
export function refusedSentence(why: string): string {
  return `${why}; there is no version to go back to, failStrategy says what happens to requests`;
}

type Log = Pick<Logger, "info" | "warn">;

/** Logs what an event made of a plugin's versions. */
export function tell(log: Log, plugin: string, before: RolloutState, after: RolloutState): void {
  const entry = after.history.at(-1);
  if (entry !== undefined && after.history !== before.history) {
    const fields = {
      plugin,
      version: entry.version,
      outcome: entry.outcome,
      ...(entry.why === "" ? {} : { why: entry.why }),
    };
    if (entry.outcome === "rolled back" || (entry.outcome === "undone" && entry.why !== ASKED_FOR))
      log.warn(fields, "a plugin's new version was taken back");
    else log.info(fields, "a plugin's version was settled");
  }
  if (after.candidate?.waits === true)
    log.info(
      { plugin, version: after.candidate.version },
      "a plugin's new version waits for the rollout of another plugin on the same proxies",
    );
  else if (after.candidate !== undefined)
    log.info(
      { plugin, version: after.candidate.version, percent: candidateShare(after) },
      "a plugin's new version is being rolled out",
    );
}

/** Logs a trap: the first of a version, the tenth, the hundredth and so on. */
export function tellTrap(
  log: Log,
  plugin: string,
  { version, count, last: { callback, proxy, message } }: TrapSummary,
): void {
  if (/^10*$/.test(String(count)))
    log.warn({ plugin, version, count, callback, proxy, trap: message }, "a plugin trapped");
}
