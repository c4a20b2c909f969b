// How often the versions of each plugin trapped, and where they did last.
import type { VersionId } from "./state.ts";
import type { Trap } from "./traps.ts";

/** One trap. `proxy`: `<pod>.<namespace>` */
export interface TrapPlace extends Pick<Trap, "callback" | "message" | "atMs"> {
  readonly proxy: string;
}

/** The traps of one version since `scrim up` was started. */
export interface TrapSummary {
  readonly version: VersionId;
  readonly count: number;
  readonly first: TrapPlace;
  readonly last: TrapPlace;
}

export interface TrapCounts {
  /** Returns the version's traps with this one. */
  note(plugin: string, version: VersionId, trap: Trap, proxy: string): TrapSummary;
  of(plugin: string, version: VersionId | undefined): TrapSummary | undefined;
  /** How many there were at that time or later; of a version that traps all the time at most LATEST. */
  since(plugin: string, version: VersionId | undefined, atMs: number): number;
  /** Nothing is known of the plugin's other versions from now on. */
  keepOnly(plugin: string, versions: ReadonlySet<VersionId>): void;
}

const LATEST = 1_000;

/** Returns counts in which there are no traps yet. */
export function createTrapCounts(): TrapCounts {
  const byPlugin = new Map<string, Map<VersionId, { summary: TrapSummary; readonly times: number[] }>>();
  const entry = (plugin: string, version: VersionId | undefined) =>
    version === undefined ? undefined : byPlugin.get(plugin)?.get(version);
  return {
    note(plugin, version, { callback, message, atMs }, proxy) {
      let versions = byPlugin.get(plugin);
      if (versions === undefined) byPlugin.set(plugin, (versions = new Map()));
      const last = { callback, message, atMs, proxy };
      const known = versions.get(version) ?? { summary: { version, count: 0, first: last, last }, times: [] };
      known.summary = { ...known.summary, count: known.summary.count + 1, last };
      known.times.push(atMs);
      if (known.times.length > LATEST) known.times.shift();
      versions.set(version, known);
      return known.summary;
    },
    of: (plugin, version) => entry(plugin, version)?.summary,
    since: (plugin, version, atMs) => entry(plugin, version)?.times.filter((time) => time >= atMs).length ?? 0,
    keepOnly(plugin, versions) {
      for (const version of byPlugin.get(plugin)?.keys() ?? [])
        if (!versions.has(version)) byPlugin.get(plugin)?.delete(version);
      if (byPlugin.get(plugin)?.size === 0) byPlugin.delete(plugin);
    },
  };
}
