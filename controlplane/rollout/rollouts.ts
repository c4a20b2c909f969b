// Consumes: the plugins of each World with their newest good modules, the counts of their proxies, and what people ask
// for.
// Produces: for each plugin and proxy the version it gets; state and old versions on disk, so that a restart goes on
// where it was.
// Never does: hand out a module that was not checked; wait for a proxy that does not answer.
import type { PluginVersion } from "../model/plugin.ts";
import { createKnowledge, type Knowledge, type KnowledgeOptions } from "./knowledge.ts";
import { createOffers, type Offers, type OffersOptions } from "./offers.ts";
import { createReport, currentRefusal, type Report, type ReportOptions } from "./report.ts";
import { createServedVersions, type ServedVersions } from "./served-version.ts";
import { createTick, type TickParts } from "./tick.ts";
import { markOf } from "./traps.ts";
import { versionOf } from "./version-modules.ts";

export interface RolloutsOptions extends KnowledgeOptions, OffersOptions, ReportOptions {
  /** As in KnowledgeOptions. */
  readonly clock: KnowledgeOptions["clock"];
  /** As in TickParts. */
  readonly newTraps: TickParts["newTraps"];
  /** Called for each trap of a plugin. */
  readonly onTrap?: (plugin: string) => void;
  readonly tickMs?: number;
}

export interface Rollouts extends Offers, ServedVersions, Report {
  /** Reads the state of before; to be awaited before the first `update`. */
  load(): Promise<void>;
  /** Resolves when the states are on disk, or the disk would not take them. */
  flush(): Promise<void>;
  /** Whether a proxy is among those that get a plugin's new version first. */
  isFirst(namespace: string, name: string, proxy: string): boolean;
  /** Does what a person asks for; returns why not, or undefined when it is done. */
  act(plugin: string, verb: "promote" | "abort" | "undo"): string | undefined;
  /** Calls `listener` when versions, or what is to be said of them, became others. */
  onChanged(listener: () => void): void;
  /** Watches candidates until the signal. */
  watch(signal: AbortSignal): Promise<void>;
}

/** Returns rollouts that have nothing to do until `update`. */
export function createRollouts(options: RolloutsOptions): Rollouts {
  const { clock, tickMs = 1_000 } = options;
  const listeners = new Set<() => void>();
  const notify = (): void => listeners.forEach((listener) => listener());
  const known = createKnowledge(options, notify);
  const { entries, versions, reaches, isFirst } = known;
  const tick = tickOf(options, known, notify);
  return {
    ...createOffers(options, known),
    ...createServedVersions(options, known),
    ...createReport(options, known),
    isFirst: (namespace, name, proxy) => isFirst(`${namespace}/${name}`, proxy),
    flush: () => versions.flush(),
    async load() {
      await versions.load();
      for (const plugin of versions.plugins()) versions.apply(plugin, { kind: "resumed", nowMs: clock.nowMs() });
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

function tickOf(options: RolloutsOptions, known: Knowledge, notify: () => void): () => Promise<void> {
  const { clock } = options;
  const { versions, standIns } = known;
  return createTick({
    ...options,
    ...known,
    refused(plugin, why) {
      if (standIns.refused(plugin, why, clock.nowMs())) notify();
    },
    refusals() {
      const refusals = options.refusals();
      return (plugin) => currentRefusal(refusals, plugin, versions.of(plugin), clock.nowMs());
    },
    onTrap(plugin, isNews) {
      options.onTrap?.(plugin);
      if (isNews) notify();
    },
  });
}

/** Returns by what name proxies' logs know a plugin's version. */
export function markOfVersion(plugin: string, version: PluginVersion): string {
  return markOf(plugin, versionOf(version));
}
