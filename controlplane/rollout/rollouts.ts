// Consumes: the plugins of each World with their newest good modules, the counts of their proxies, and what people ask for.
// Produces: for each plugin and proxy the version it gets; state and old versions on disk, so that a restart goes on where it was.
// Never does: hand out a module that was not checked; wait for a proxy that does not answer.
import { createHash } from "node:crypto";
import type { MeshObject } from "../model/object.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { PluginState } from "../translate/ir/modules.ts";
import type { GoodPlugin, GoodPlugins } from "../wasm/good-plugins.ts";
import { bucketOf } from "./bucket.ts";
import { difference, judge, noCounts, type ProxyCounts, total } from "./health.ts";
import { createKeeper } from "./kept-states.ts";
import { parseRolloutPlan, ROLLOUT_ANNOTATION, type RolloutPlan } from "./plan.ts";
import { readCounts, statsPath } from "./proxy-counts.ts";
import { advance, ASKED_FOR, candidateShare, changedAtMs, newRollout, type RolloutEvent, type RolloutState, type VersionId, versionFor, versionsKept } from "./state.ts";

/** A proxy in whose chain a plugin stands. `address` is its pod's; `envoyAdmin` is "" where its counts cannot be read. */
export interface WatchedProxy { readonly name: string; readonly address: string; readonly envoyAdmin: string }

export interface RolloutsOptions {
  readonly newest: (namespace: string, name: string) => PluginState;
  /** Keeps versions by `<namespace>/<name>@<version>`. */
  readonly versions: GoodPlugins;
  readonly stateFile: string;
  readonly proxiesOf: (plugin: MeshObject<"WasmPlugin">) => readonly WatchedProxy[];
  /** Addresses of the pods whose proxies are there: they may have been serving for long. */
  readonly running: () => ReadonlySet<string>;
  /** Why a proxy refused this plugin's configuration at that time or later; undefined when none did. */
  readonly refusalOf: (plugin: string, sinceMs: number) => string | undefined;
  /** A page of an Envoy's admin address; undefined when it does not answer. */
  readonly readPage: (address: string, path: string) => Promise<string | undefined>;
  readonly clock: Clock;
  readonly log: Pick<Logger, "info" | "warn">;
  readonly tickMs?: number;
}

export interface RolloutStatus extends RolloutState {
  /** `<namespace>/<name>` */
  readonly plugin: string;
  readonly sharePercent: number;
  readonly proxies: { readonly candidate: number; readonly all: number };
  /** Why a proxy would not have what it was given, and stayed with what it had. */
  readonly refusal?: string;
}

export interface PlanProblem { readonly object: MeshObject<"WasmPlugin">; readonly message: string }

export interface Rollouts {
  /** Reads the state of before; to be awaited before the first `update`. */
  load(): Promise<void>;
  update(plugins: readonly MeshObject<"WasmPlugin">[]): void;
  /** The module for a proxy (its pod's address). */
  plugin(namespace: string, name: string, proxy: string): PluginState;
  /** Whether proxies get different versions at present. */
  differsByProxy(namespace: string, name: string): boolean;
  /** Whether a proxy is among those that get a plugin's new version first. */
  isFirst(namespace: string, name: string, proxy: string): boolean;
  problems(): readonly PlanProblem[];
  status(): readonly RolloutStatus[];
  /** Does what a person asks for; returns why not, or undefined when it is done. */
  act(plugin: string, verb: "promote" | "abort" | "undo"): string | undefined;
  onChanged(listener: () => void): void;
  /** Watches candidates until the signal. */
  watch(signal: AbortSignal): Promise<void>;
}

interface Entry {
  readonly object: MeshObject<"WasmPlugin">;
  readonly plan: RolloutPlan | undefined;
  readonly problem: string | undefined;
  /** The proxies that were there when the plugin came: they go on as before until its module is had. To others it is missing. */
  readonly there: ReadonlySet<string>;
}

/** What proxies had counted when a candidate was first looked at, and what when its present step was. */
interface Readings { readonly since: number; readonly before: Map<string, ProxyCounts>; readonly counts: Map<string, ProxyCounts> }

/** Returns rollouts that have nothing to do until `update`. */
export function createRollouts(options: RolloutsOptions): Rollouts {
  const { clock, log, newest, versions, tickMs = 1_000 } = options;
  const entries = new Map<string, Entry>();
  const states = new Map<string, RolloutState>();
  const contents = new Map<string, GoodPlugin>();
  const readings = new Map<string, Readings>();
  /** Versions that proxies would not load where there is none to go back to: something stands in for them. */
  const unloadable = new Map<string, { readonly version: VersionId | undefined; readonly why: string }>();
  const listeners = new Set<() => void>();
  const keeper = createKeeper(options.stateFile, states, log);

  const apply = (plugin: string, event: RolloutEvent): string | undefined => {
    const before = states.get(plugin) ?? newRollout;
    const { state, refusal } = advance(before, event);
    if (state === before) return refusal;
    states.set(plugin, state);
    if (state.candidate?.version !== before.candidate?.version) readings.delete(plugin);
    if (state.stable !== before.stable) unloadable.delete(plugin);
    forget(plugin, before, state);
    tell(log, plugin, before, state);
    keeper.keep();
    for (const listener of listeners) listener();
    return refusal;
  };
  const forget = (plugin: string, before: RolloutState, after: RolloutState): void => {
    const kept = versionsKept(after);
    for (const version of versionsKept(before)) {
      if (kept.has(version)) continue;
      contents.delete(`${plugin}@${version}`);
      void versions.forget(`${plugin}@${version}`);
    }
  };
  const offer = (plugin: string, entry: Entry): void => {
    const { object, plan } = entry;
    const state = newest(object.metadata.namespace, object.metadata.name);
    if (state.kind !== "module") return;
    const good = { module: state.module, settings: state.settings };
    const version = versionOf(good);
    if (!contents.has(`${plugin}@${version}`)) {
      contents.set(`${plugin}@${version}`, good);
      void versions.keep(`${plugin}@${version}`, good);
    }
    const before = states.get(plugin)?.candidate;
    apply(plugin, { kind: "version", version, plan, nowMs: clock.nowMs() });
    const now = states.get(plugin);
    // At once, not at the next tick: later its own requests would stand among those from before it.
    if (now?.candidate !== undefined && now.candidate.version !== before?.version) void judgeCandidate(plugin, entry, now, readings, options);
  };

  const refusalNow = (plugin: string, state: RolloutState): string | undefined => {
    const sinceMs = changedAtMs(state);
    return options.refusalOf(plugin, clock.nowMs() - sinceMs > ANSWERED_AFTER_MS ? 0 : sinceMs);
  };
  const noteRefusal = (plugin: string, state: RolloutState, why: string): void => {
    const refusal = apply(plugin, { kind: "refused", why, nowMs: clock.nowMs() });
    if (refusal === undefined || unloadable.get(plugin)?.version === state.stable) return;
    unloadable.set(plugin, { version: state.stable, why });
    log.warn({ plugin, version: state.stable, why }, "proxies would not load a plugin, and there is no version before it: its failStrategy says what happens to requests");
    for (const listener of listeners) listener();
  };

  return {
    async load() {
      for (const [plugin, state] of await keeper.read()) {
        states.set(plugin, state);
        for (const version of versionsKept(state)) {
          const good = await versions.read(`${plugin}@${version}`);
          if (good !== undefined) contents.set(`${plugin}@${version}`, good);
        }
      }
    },
    update(plugins) {
      const names = new Set(plugins.map(nameOf));
      for (const plugin of new Set([...states.keys(), ...entries.keys()])) {
        if (names.has(plugin)) continue;
        for (const version of versionsKept(states.get(plugin) ?? newRollout)) {
          contents.delete(`${plugin}@${version}`);
          void versions.forget(`${plugin}@${version}`);
        }
        states.delete(plugin);
        entries.delete(plugin);
        readings.delete(plugin);
        unloadable.delete(plugin);
        keeper.keep();
      }
      for (const object of plugins) {
        const known = entries.get(nameOf(object));
        const entry = known?.object === object ? known : { object, ...planOf(object), there: known?.there ?? options.running() };
        entries.set(nameOf(object), entry);
        offer(nameOf(object), entry);
      }
    },
    plugin(namespace, name, proxy) {
      const plugin = `${namespace}/${name}`;
      const state = states.get(plugin) ?? newRollout;
      const contentOf = (version: VersionId | undefined): GoodPlugin | undefined => (version === undefined ? undefined : contents.get(`${plugin}@${version}`));
      const missing = unloadable.get(plugin);
      const version = versionFor(state, bucketOf(plugin, proxy));
      if (missing !== undefined && missing.version === version) return { kind: "unavailable", reason: missing.why };
      if (isSplit(state)) {
        const [first, rest] = [contentOf(state.candidate?.version), contentOf(state.stable)];
        if (first !== undefined && rest !== undefined) return { kind: "split", percent: candidateShare(state), first, rest };
      }
      const good = contentOf(version);
      if (good !== undefined) return { kind: "module", ...good };
      const newestState = newest(namespace, name);
      return newestState.kind === "pending" && entries.get(plugin)?.there.has(proxy) !== true ? MISSING : newestState;
    },
    differsByProxy: (namespace, name) => states.get(`${namespace}/${name}`)?.candidate?.plan.of === "proxies" || newest(namespace, name).kind === "pending",
    isFirst: (namespace, name, proxy) => bucketOf(`${namespace}/${name}`, proxy) < candidateShare(states.get(`${namespace}/${name}`) ?? newRollout),
    problems: () => [...entries.values()].flatMap(({ object, problem }) => (problem === undefined ? [] : [{ object, message: problem }])),
    status: () => [...entries].map(([plugin, { object }]) => statusOf(plugin, states.get(plugin) ?? newRollout, options.proxiesOf(object), refusalNow(plugin, states.get(plugin) ?? newRollout) ?? unloadable.get(plugin)?.why)),
    act(plugin, verb) {
      if (!entries.has(plugin)) return `there is no WasmPlugin ${plugin}`;
      return apply(plugin, { kind: verb, nowMs: clock.nowMs() });
    },
    onChanged: (listener) => void listeners.add(listener),
    async watch(signal) {
      while (!signal.aborted) {
        await clock.sleep(tickMs, signal).catch(() => undefined);
        if (signal.aborted) return;
        for (const [plugin, entry] of entries) {
          const state = states.get(plugin) ?? newRollout;
          const refusal = refusalNow(plugin, state);
          if (refusal !== undefined) noteRefusal(plugin, state, refusal);
          if (refusal !== undefined || state.candidate === undefined) continue;
          const why = await judgeCandidate(plugin, entry, state, readings, options);
          // Meanwhile it may have become another's turn: what was counted says nothing of that one.
          if (states.get(plugin)?.candidate?.version !== state.candidate.version) continue;
          apply(plugin, why === undefined ? { kind: "healthy", nowMs: clock.nowMs() } : { kind: "unhealthy", why, nowMs: clock.nowMs() });
        }
      }
    },
  };
}

/** What proxies refused before the last change they have taken back by then, unless it is what they refuse now. */
const ANSWERED_AFTER_MS = 3_000;

/** A proxy never serves without a filter that was asked for before it started: its failStrategy decides. */
const MISSING: PluginState = { kind: "unavailable", reason: "has not been fetched yet" };

/** Compares what the proxies with the candidate count from the step's first reading on to the others, or to what they counted before the candidate came. */
async function judgeCandidate(plugin: string, { object }: Entry, state: RolloutState, readings: Map<string, Readings>, { proxiesOf, readPage }: RolloutsOptions): Promise<string | undefined> {
  const { candidate } = state;
  if (candidate === undefined) return undefined;
  const { rollback } = candidate.plan;
  const proxies = proxiesOf(object).filter(({ envoyAdmin }) => envoyAdmin !== "");
  const pages = await Promise.all(proxies.map(async (proxy) => ({ proxy, page: await readPage(proxy.envoyAdmin, statsPath(rollback.metric?.name)) })));
  const known = readings.get(plugin);
  const start: Readings = known?.since === candidate.stepSinceMs ? known : { since: candidate.stepSinceMs, before: known?.before ?? new Map<string, ProxyCounts>(), counts: new Map<string, ProxyCounts>() };
  readings.set(plugin, start);
  const groups: Record<"candidate" | "others" | "before", ProxyCounts[]> = { candidate: [], others: [], before: [] };
  for (const { proxy, page } of pages) {
    if (page === undefined) continue;
    const now = readCounts(page, rollback.metric?.name, plugin);
    if (!start.before.has(proxy.name)) start.before.set(proxy.name, now);
    const atStep = start.counts.get(proxy.name);
    if (atStep === undefined) {
      start.counts.set(proxy.name, now);
      continue;
    }
    const isFirst = isSplit(state) || bucketOf(plugin, proxy.address) < candidateShare(state);
    groups[isFirst ? "candidate" : "others"].push(difference(now, atStep));
    if (isFirst) groups.before.push(start.before.get(proxy.name) ?? noCounts);
  }
  const others = total(groups.others);
  // Nobody else, or nobody who is asked: then what they counted themselves before it came.
  return judge(total(groups.candidate), others.requests >= rollback.minimumRequests ? others : { ...total(groups.before), vmFailures: others.vmFailures }, rollback, isSplit(state) ? candidateShare(state) / 100 : 1);
}

/** Whether each proxy gives a share of its requests to the candidate. A share of all of them needs no splitting. */
function isSplit(state: RolloutState): boolean {
  return state.candidate?.plan.of === "requests" && candidateShare(state) < 100;
}

/** Returns the name of a module with its settings: 12 hex digits. */
export function versionOf({ module, settings }: GoodPlugin): VersionId {
  return createHash("sha256").update(module.sha256).update(JSON.stringify(settings)).digest("hex").slice(0, 12);
}

function planOf(object: MeshObject<"WasmPlugin">): Pick<Entry, "plan" | "problem"> {
  const text = object.metadata.annotations[ROLLOUT_ANNOTATION];
  if (text === undefined) return { plan: undefined, problem: undefined };
  const parsed = parseRolloutPlan(text);
  // Without a plan that can be read the new version would go to all at once: it goes to nobody until somebody decides.
  return parsed.kind === "plan" ? { plan: parsed.plan, problem: undefined } : { plan: HOLD, problem: parsed.reason };
}

/** To no proxy: the buckets begin at 0. */
const HOLD: RolloutPlan = { of: "proxies", steps: [{ percent: 0, pauseMs: undefined }], rollback: { errorRate: 0, latency: 0, metric: undefined, minimumRequests: Number.MAX_SAFE_INTEGER } };

function statusOf(plugin: string, state: RolloutState, proxies: readonly WatchedProxy[], refusal: string | undefined): RolloutStatus {
  const share = candidateShare(state);
  const first = isSplit(state) ? proxies : proxies.filter(({ address }) => bucketOf(plugin, address) < share);
  return { plugin, ...state, sharePercent: share, proxies: { candidate: first.length, all: proxies.length }, ...(refusal !== undefined && { refusal }) };
}

function tell(log: RolloutsOptions["log"], plugin: string, before: RolloutState, after: RolloutState): void {
  const entry = after.history.at(-1);
  if (entry !== undefined && after.history !== before.history) {
    const fields = { plugin, version: entry.version, outcome: entry.outcome, ...(entry.why === "" ? {} : { why: entry.why }) };
    if (entry.outcome === "rolled back" || (entry.outcome === "undone" && entry.why !== ASKED_FOR)) log.warn(fields, "a plugin's new version was taken back");
    else log.info(fields, "a plugin's version was settled");
  }
  if (after.candidate !== undefined) log.info({ plugin, version: after.candidate.version, percent: candidateShare(after) }, "a plugin's new version is being rolled out");
}

function nameOf({ metadata: { namespace, name } }: MeshObject<"WasmPlugin">): string {
  return `${namespace}/${name}`;
}
