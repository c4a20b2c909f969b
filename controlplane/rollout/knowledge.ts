// What is known of the plugins' rollouts, each in its place, and what follows from several of them together.
import type { Clock } from "../telemetry/clock.ts";
import type { Logger } from "../telemetry/logger.ts";
import { bucketOf } from "./bucket.ts";
import type { Followed } from "./followed.ts";
import { createJudge, type Judge, type JudgeOptions, type WatchedProxy } from "./judgement.ts";
import { inTheWay } from "./overlap.ts";
import { createReaches, type Reaches } from "./reach.ts";
import { createStandIns, type StandIns } from "./stand-ins.ts";
import { candidateShare, versionsKept } from "./state.ts";
import { tell } from "./status.ts";
import { createTrapCounts, type TrapCounts, type TrapSummary } from "./trap-counts.ts";
import { createVersions, type Versions, type VersionsOptions } from "./versions.ts";

export interface KnowledgeOptions extends JudgeOptions, Omit<VersionsOptions, "onChanged"> {
  readonly clock: Clock;
  readonly log: Pick<Logger, "info" | "warn">;
}

export interface Knowledge {
  /** The mesh's plugins. */
  readonly entries: Map<string, Followed>;
  readonly versions: Versions;
  readonly traps: TrapCounts;
  readonly standIns: StandIns;
  readonly reaches: Reaches;
  readonly judge: Judge;
  proxiesOf(plugin: string): readonly WatchedProxy[];
  /** Whether a proxy (its pod's address) is among those that get a plugin's new version first. */
  isFirst(plugin: string, address: string): boolean;
  /** The plugins whose rollouts share a proxy with this one. */
  inTheWayOf(plugin: string): readonly string[];
  /** The traps of the version that serves and of the new one. */
  trapsOf(plugin: string): readonly TrapSummary[];
  /** The plugin is gone. */
  forget(plugin: string): void;
}

/** Returns knowledge of nothing yet; `onChanged` is called when some plugin's versions became others. */
export function createKnowledge(options: KnowledgeOptions, onChanged: () => void): Knowledge {
  const entries = new Map<string, Followed>();
  const traps = createTrapCounts();
  const versions = createVersions({
    ...options,
    onChanged(plugin, before, after) {
      reaches.forget(plugin);
      if (after.stable !== before.stable) standIns.forget(plugin);
      traps.keepOnly(plugin, versionsKept(after));
      tell(options.log, plugin, before, after);
      onChanged();
    },
  });
  const standIns = createStandIns(versions, options.log);
  const proxiesOf = (plugin: string): readonly WatchedProxy[] => {
    const object = entries.get(plugin)?.object;
    return object === undefined ? [] : options.proxiesOf(object);
  };
  const bucketsOf = (plugin: string): readonly number[] =>
    proxiesOf(plugin).map(({ address }) => bucketOf(plugin, address));
  const reaches = createReaches({ stateOf: versions.of, bucketsOf });
  const isFirst = (plugin: string, address: string): boolean => bucketOf(plugin, address) < reaches.of(plugin);
  const judge = createJudge(options, { traps, isFirst });
  const known = { entries, versions, traps, standIns, reaches, judge, proxiesOf, isFirst };
  return {
    ...known,
    inTheWayOf: (plugin) => othersInTheWay(plugin, known),
    trapsOf(plugin) {
      const { stable, candidate } = versions.of(plugin);
      return [stable, candidate?.version].flatMap((version) => traps.of(plugin, version) ?? []);
    },
    forget: (plugin) => forget(plugin, known),
  };
}

function othersInTheWay(
  plugin: string,
  { entries, versions, proxiesOf }: Pick<Knowledge, "entries" | "versions" | "proxiesOf">,
): readonly string[] {
  const underWay = [...entries.keys()].filter((other) => other !== plugin && candidateShare(versions.of(other)) > 0);
  return underWay.length === 0
    ? []
    : inTheWay(
        plugin,
        proxiesOf(plugin),
        underWay.map((other) => ({ plugin: other, proxies: proxiesOf(other) })),
      );
}

function forget(
  plugin: string,
  { entries, versions, traps, standIns, reaches, judge }: Omit<Knowledge, "inTheWayOf" | "trapsOf" | "forget">,
): void {
  versions.drop(plugin);
  entries.delete(plugin);
  reaches.forget(plugin);
  judge.forget(plugin);
  traps.keepOnly(plugin, new Set());
  standIns.forget(plugin);
}
