// Consumes: the plugins of each World with their newest good modules, the counts of their proxies, and what people ask
// for.
// Produces: for each plugin and proxy the version it gets; state and old versions on disk, so that a restart goes on
// where it was.
// Never does: hand out a module that was not checked; wait for a proxy that does not answer.
import type { DiskNews } from "../disk/kept-file.ts";
import type { MeshObject } from "../model/object.ts";
import type { PluginState, PluginVersion } from "../model/plugin.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/logger.ts";
import type { GoodPlugins } from "../wasm/good-plugins.ts";
import { bucketOf } from "./bucket.ts";
import { type Followed, withPlan, nameOf } from "./followed.ts";
import { createJudge, type JudgeOptions, type WatchedProxy } from "./judgement.ts";
import { inTheWay } from "./overlap.ts";
import { createReaches } from "./reach.ts";
import { createStandIns } from "./stand-ins.ts";
import { candidateShare, changedAtMs, isSplit, type RolloutState, versionFor, versionsKept } from "./state.ts";
import {
  type RolloutProblem,
  type RolloutStatus,
  heldBack,
  refusedSentence,
  statusOf,
  takenBack,
  tell,
  trapSentence,
} from "./status.ts";
import { createTick, type TickParts } from "./tick.ts";
import { createTrapCounts, type TrapSummary } from "./trap-counts.ts";
import { markOf } from "./traps.ts";
import { createVersions, versionOf } from "./versions.ts";

/** Why a proxy refused a plugin's configuration at that time or later; undefined when none did. */
export type Refusals = (plugin: string, sinceMs: number) => string | undefined;

export interface RolloutsOptions extends JudgeOptions {
  readonly newest: (namespace: string, name: string) => PluginState;
  /** As in VersionsOptions. */
  readonly versions: GoodPlugins;
  readonly stateFile: string;
  readonly news: DiskNews;
  /** Addresses of the pods whose proxies are there: they may have been serving for long. */
  readonly running: () => ReadonlySet<string>;
  /** What proxies refuse now. */
  readonly refusals: () => Refusals;
  /** As in TickParts. */
  readonly newTraps: TickParts["newTraps"];
  /** Called for each trap of a plugin. */
  readonly onTrap?: (plugin: string) => void;
  readonly clock: Clock;
  readonly log: Pick<Logger, "info" | "warn">;
  readonly tickMs?: number;
}

export interface Rollouts {
  /** Reads the state of before; to be awaited before the first `update`. */
  load(): Promise<void>;
  /** Resolves when the states are on disk, or the disk would not take them. */
  flush(): Promise<void>;
  /** The mesh's plugins; the same list again costs nothing. */
  update(plugins: readonly MeshObject<"WasmPlugin">[]): void;
  /** What `newest` answers may be another module now. */
  fetched(): void;
  /** The module for a proxy (its pod's address). */
  plugin(namespace: string, name: string, proxy: string): PluginState;
  /** Whether proxies get different versions at present. */
  differsByProxy(namespace: string, name: string): boolean;
  /** Whether a proxy is among those that get a plugin's new version first. */
  isFirst(namespace: string, name: string, proxy: string): boolean;
  problems(): readonly RolloutProblem[];
  /** Why not every proxy has what a plugin (`<namespace>/<name>`) asks for, as far as versions are the reason. */
  heldBack(plugin: string): string | undefined;
  status(): readonly RolloutStatus[];
  /** Does what a person asks for; returns why not, or undefined when it is done. */
  act(plugin: string, verb: "promote" | "abort" | "undo"): string | undefined;
  /** Calls `listener` when versions, or what is to be said of them, became others. */
  onChanged(listener: () => void): void;
  /** Watches candidates until the signal. */
  watch(signal: AbortSignal): Promise<void>;
}

/** Returns rollouts that have nothing to do until `update`. */
export function createRollouts(options: RolloutsOptions): Rollouts {
  const { clock, log, newest, tickMs = 1_000 } = options;
  const entries = new Map<string, Followed>();
  const listeners = new Set<() => void>();
  const notify = (): void => listeners.forEach((listener) => listener());
  const traps = createTrapCounts();
  const versions = createVersions({
    ...options,
    onChanged(plugin, before, after) {
      reaches.forget(plugin);
      if (after.stable !== before.stable) standIns.forget(plugin);
      traps.keepOnly(plugin, versionsKept(after));
      tell(log, plugin, before, after);
      notify();
    },
  });
  const standIns = createStandIns(versions, log);
  const proxiesOf = (plugin: string): readonly WatchedProxy[] => {
    const object = entries.get(plugin)?.object;
    return object === undefined ? [] : options.proxiesOf(object);
  };
  const reaches = createReaches({
    stateOf: versions.of,
    bucketsOf: (plugin) => proxiesOf(plugin).map(({ address }) => bucketOf(plugin, address)),
  });
  const isFirst = (plugin: string, address: string): boolean => bucketOf(plugin, address) < reaches.of(plugin);
  const judge = createJudge(options, { traps, isFirst });
  let followed: readonly MeshObject<"WasmPlugin">[] | undefined;

  const refusalIn = (refusals: Refusals, plugin: string): string | undefined => {
    const sinceMs = changedAtMs(versions.of(plugin));
    return refusals(plugin, clock.nowMs() - sinceMs > ANSWERED_AFTER_MS ? 0 : sinceMs);
  };
  const blockersOf = (plugin: string): readonly string[] => {
    const underWay = [...entries.keys()].filter((other) => other !== plugin && candidateShare(versions.of(other)) > 0);
    return underWay.length === 0
      ? []
      : inTheWay(
          plugin,
          proxiesOf(plugin),
          underWay.map((other) => ({ plugin: other, proxies: proxiesOf(other) })),
        );
  };
  const trapsOf = (plugin: string, { stable, candidate }: RolloutState): readonly TrapSummary[] =>
    [stable, candidate?.version].flatMap((version) => traps.of(plugin, version) ?? []);

  const offer = (plugin: string, entry: Followed): void => {
    const {
      object: {
        metadata: { namespace, name },
      },
      plan,
    } = entry;
    const state = newest(namespace, name);
    if (
      state.kind !== "module" ||
      (entry.offered?.module === state.module && entry.offered.settings === state.settings)
    )
      return;
    entry.offered = { module: state.module, settings: state.settings };
    const before = versions.of(plugin).candidate;
    const version = versions.keep(plugin, state);
    const waits =
      plan !== undefined &&
      (plan.steps[0]?.percent ?? 0) > 0 &&
      candidateShare(versions.of(plugin)) === 0 &&
      blockersOf(plugin).length > 0;
    versions.apply(plugin, { kind: "version", version, plan, waits, nowMs: clock.nowMs() });
    // At once, not at the next tick: later its own requests would stand among those from before it.
    if (versions.of(plugin).candidate?.version !== before?.version)
      void judge.look(plugin, entry.object, versions.of(plugin));
  };
  const tick = createTick({
    ...options,
    entries,
    versions,
    traps,
    judge,
    inTheWayOf: blockersOf,
    refused(plugin, why) {
      if (standIns.refused(plugin, why, clock.nowMs())) notify();
    },
    refusals() {
      const refusals = options.refusals();
      return (plugin) => refusalIn(refusals, plugin);
    },
    onTrap(plugin, isNews) {
      options.onTrap?.(plugin);
      if (isNews) notify();
    },
  });

  const statusNow = (plugin: string, refusals: Refusals): RolloutStatus => {
    const state = versions.of(plugin);
    return statusOf(plugin, state, {
      proxies: proxiesOf(plugin),
      isFirst: (address) => isFirst(plugin, address),
      waitsFor: state.candidate?.waits === true ? blockersOf(plugin) : [],
      traps: trapsOf(plugin, state),
      missingMetric: state.candidate === undefined ? undefined : judge.missingMetric(plugin),
      refusal: refusalIn(refusals, plugin) ?? standIns.for(plugin, state.stable),
    });
  };

  return {
    flush: () => versions.flush(),
    async load() {
      await versions.load();
      for (const plugin of versions.plugins()) versions.apply(plugin, { kind: "resumed", nowMs: clock.nowMs() });
    },
    update(plugins) {
      if (plugins === followed) return;
      followed = plugins;
      const names = new Set(plugins.map(nameOf));
      for (const plugin of new Set([...versions.plugins(), ...entries.keys()])) {
        if (names.has(plugin)) continue;
        versions.drop(plugin);
        entries.delete(plugin);
        reaches.forget(plugin);
        judge.forget(plugin);
        traps.keepOnly(plugin, new Set());
        standIns.forget(plugin);
      }
      for (const object of plugins) {
        const known = entries.get(nameOf(object));
        const entry = known?.object === object ? known : withPlan(object, known?.there ?? options.running());
        entries.set(nameOf(object), entry);
        offer(nameOf(object), entry);
      }
    },
    fetched() {
      for (const [plugin, entry] of entries) offer(plugin, entry);
    },
    plugin(namespace, name, proxy) {
      const plugin = `${namespace}/${name}`;
      const state = versions.of(plugin);
      const version = versionFor(state, bucketOf(plugin, proxy), reaches.of(plugin));
      const missing = standIns.for(plugin, version);
      if (missing !== undefined) return { kind: "unavailable", reason: missing };
      if (isSplit(state)) {
        const [first, rest] = [
          versions.content(plugin, state.candidate?.version),
          versions.content(plugin, state.stable),
        ];
        if (first !== undefined && rest !== undefined)
          return { kind: "split", percent: candidateShare(state), first, rest };
      }
      const good = versions.content(plugin, version);
      if (good !== undefined) return { kind: "module", ...good };
      const newestState = newest(namespace, name);
      return newestState.kind === "pending" && entries.get(plugin)?.there.has(proxy) !== true ? MISSING : newestState;
    },
    differsByProxy(namespace, name) {
      const state = versions.of(`${namespace}/${name}`);
      return (
        (state.candidate?.plan.of === "proxies" && candidateShare(state) > 0) ||
        newest(namespace, name).kind === "pending"
      );
    },
    isFirst: (namespace, name, proxy) => isFirst(`${namespace}/${name}`, proxy),
    problems: () =>
      [...entries].flatMap(([plugin, { object, problem }]) => {
        const state = versions.of(plugin);
        const [refusal, back] = [standIns.for(plugin, state.stable), takenBack(state)];
        return [
          ...(problem === undefined ? [] : [{ kind: "plan" as const, object, message: problem }]),
          ...(refusal === undefined ? [] : [{ kind: "refused" as const, object, message: refusedSentence(refusal) }]),
          ...(back === undefined ? [] : [{ kind: "taken back" as const, object, message: back }]),
          ...trapsOf(plugin, state).map((summary) => ({
            kind: "trap" as const,
            object,
            message: trapSentence(summary),
          })),
        ];
      }),
    heldBack(plugin) {
      const state = versions.of(plugin);
      return heldBack(state, standIns.for(plugin, state.stable));
    },
    status() {
      const refusals = options.refusals();
      return [...entries.keys()].map((plugin) => statusNow(plugin, refusals));
    },
    act(plugin, verb) {
      if (!entries.has(plugin)) return `there is no WasmPlugin ${plugin}`;
      return versions.apply(plugin, { kind: verb, nowMs: clock.nowMs() });
    },
    onChanged: (listener) => void listeners.add(listener),
    async watch(signal) {
      while (!signal.aborted) {
        await clock.sleep(tickMs, signal).catch(() => undefined);
        if (signal.aborted) return;
        if (reaches.renew()) notify();
        await tick();
      }
    },
  };
}

/** What proxies refused before the last change they have taken back by then, unless it is what they refuse now. */
const ANSWERED_AFTER_MS = 3_000;

/** A proxy never serves without a filter that was asked for before it started: its failStrategy decides. */
const MISSING: PluginState = { kind: "unavailable", reason: "has not been fetched yet" };

/** Returns by what name proxies' logs know a plugin's version. */
export function markOfVersion(plugin: string, version: PluginVersion): string {
  return markOf(plugin, versionOf(version));
}
