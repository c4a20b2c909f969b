// Which version of a plugin a proxy gets.
import type { PluginState } from "../model/plugin.ts";
import { bucketOf } from "./bucket.ts";
import type { Knowledge } from "./knowledge.ts";
import type { OffersOptions } from "./offers.ts";
import { candidateShare, isSplit, type RolloutState, versionFor } from "./state.ts";

export interface ServedVersions {
  /** The module for a proxy (its pod's address). */
  plugin(namespace: string, name: string, proxy: string): PluginState;
  /** Whether proxies get different versions at present. */
  differsByProxy(namespace: string, name: string): boolean;
}

/** A proxy never serves without a filter that was asked for before it started: its failStrategy decides. */
const MISSING: PluginState = { kind: "unavailable", reason: "has not been fetched yet" };

/** Returns what proxies get by what is known. */
export function createServedVersions(
  { newest }: Pick<OffersOptions, "newest">,
  { entries, versions, reaches, standIns }: Knowledge,
): ServedVersions {
  const split = (plugin: string, state: RolloutState): PluginState | undefined => {
    const [first, rest] = [versions.content(plugin, state.candidate?.version), versions.content(plugin, state.stable)];
    return first === undefined || rest === undefined
      ? undefined
      : { kind: "split", percent: candidateShare(state), first, rest };
  };
  return {
    plugin(namespace, name, proxy) {
      const plugin = `${namespace}/${name}`;
      const state = versions.of(plugin);
      const version = versionFor(state, bucketOf(plugin, proxy), reaches.of(plugin));
      const missing = standIns.for(plugin, version);
      if (missing !== undefined) return { kind: "unavailable", reason: missing };
      const both = isSplit(state) ? split(plugin, state) : undefined;
      if (both !== undefined) return both;
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
  };
}
