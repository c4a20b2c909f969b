// What a candidate's proxies did since a step began, held against those with the version before.
import type { MeshObject } from "../model/object.ts";
import { difference, judge, noCounts, type ProxyCounts, total } from "./health.ts";
import type { RollbackLimits } from "./plan.ts";
import { readCounts, statsPath } from "./proxy-counts.ts";
import { type Candidate, candidateShare, isSplit, type RolloutState } from "./state.ts";
import type { TrapCounts } from "./trap-counts.ts";

/**
 * A proxy in whose chain a plugin stands. `address` is its pod's; `envoyAdmin` is "" where its counts cannot be read.
 */
export interface WatchedProxy {
  readonly name: string;
  readonly address: string;
  readonly envoyAdmin: string;
}

/** What proxies had counted when a candidate was first looked at, and what when its present step was. */
interface Readings {
  readonly candidate: Pick<Candidate, "version" | "sinceMs">;
  readonly since: number;
  readonly before: Map<string, ProxyCounts>;
  readonly counts: Map<string, ProxyCounts>;
}

export interface JudgeOptions {
  readonly proxiesOf: (plugin: MeshObject<"WasmPlugin">) => readonly WatchedProxy[];
  /** A page of an Envoy's admin address; undefined when it does not answer. */
  readonly readPage: (address: string, path: string) => Promise<string | undefined>;
}

export interface JudgeKnowledge {
  readonly traps: Pick<TrapCounts, "of" | "since">;
  /** Whether a proxy (its address) is among those that have the candidate. */
  readonly isFirst: (plugin: string, address: string) => boolean;
}

export interface Judge {
  /**
   * Reads the counts of a candidate's proxies; returns why it is to be taken back, undefined while it does well. The
   * first reading of a step is what the next ones are held against.
   */
  look(plugin: string, object: MeshObject<"WasmPlugin">, state: RolloutState): Promise<string | undefined>;
  /**
   * The counter that a plan names and that none of the candidate's proxies has, after requests enough to tell;
   * undefined while there is nothing to say.
   */
  missingMetric(plugin: string): string | undefined;
  /** The clock by which candidates' times are told was set. */
  clockMoved(byMs: number): void;
  /** The plugin is gone. */
  forget(plugin: string): void;
}

/** Returns a judge that has not read anything yet. */
export function createJudge(options: JudgeOptions, { traps, isFirst }: JudgeKnowledge): Judge {
  const readings = new Map<string, Readings>();
  const missing = new Map<string, string>();
  return {
    missingMetric: (plugin) => missing.get(plugin),
    clockMoved(byMs) {
      for (const [plugin, reading] of readings) readings.set(plugin, moved(reading, byMs));
    },
    forget(plugin) {
      readings.delete(plugin);
      missing.delete(plugin);
    },
    async look(plugin, object, state) {
      const { candidate } = state;
      if (candidate === undefined || candidate.waits) return undefined;
      const pages = await readPages(plugin, object, candidate.plan.rollback.metric?.name, options);
      const last = readings.get(plugin);
      // While the pages were read another one may have come: what they say is not its own.
      if (last !== undefined && last.candidate.sinceMs > candidate.sinceMs) return undefined;
      const start = startOf(candidate, last);
      readings.set(plugin, start);
      const trapped = judgeTraps(plugin, state, traps);
      if (trapped !== undefined) return trapped;
      const counted = group(start, pages, (address) => isSplit(state) || isFirst(plugin, address));
      const metric = missingMetric(total(counted.groups.candidate), candidate.plan.rollback);
      if (metric === undefined) missing.delete(plugin);
      else missing.set(plugin, metric);
      return judgeCounts(state, candidate.plan.rollback, counted);
    },
  };
}

function moved({ candidate, since, ...reading }: Readings, byMs: number): Readings {
  const { version, sinceMs } = candidate;
  return { ...reading, since: since + byMs, candidate: { version, sinceMs: sinceMs + byMs } };
}

type Pages = readonly { readonly proxy: WatchedProxy; readonly now: ProxyCounts | undefined }[];

async function readPages(
  plugin: string,
  object: MeshObject<"WasmPlugin">,
  metric: string | undefined,
  { proxiesOf, readPage }: JudgeOptions,
): Promise<Pages> {
  const proxies = proxiesOf(object).filter(({ envoyAdmin }) => envoyAdmin !== "");
  return Promise.all(
    proxies.map(async (proxy) => {
      const page = await readPage(proxy.envoyAdmin, statsPath(metric));
      return { proxy, now: page === undefined ? undefined : readCounts(page, metric, plugin) };
    }),
  );
}

/** What a candidate's present step is held against: what was read before, if it is of this candidate and step. */
function startOf(candidate: Candidate, last: Readings | undefined): Readings {
  const isSame = last?.candidate.version === candidate.version && last.candidate.sinceMs === candidate.sinceMs;
  const known = isSame ? last : undefined;
  return known?.since === candidate.stepSinceMs
    ? known
    : { candidate, since: candidate.stepSinceMs, before: known?.before ?? new Map(), counts: new Map() };
}

function missingMetric(own: ProxyCounts, { metric, minimumRequests }: RollbackLimits): string | undefined {
  const isEnough = own.requests >= minimumRequests && own.requests > 0;
  return metric !== undefined && isEnough && !own.hasMetric ? metric.name : undefined;
}

/** Nobody else, or nobody who is asked: then what they counted themselves before it came. */
function judgeCounts(state: RolloutState, limits: RollbackLimits, { groups, before }: Counted): string | undefined {
  const others = total(groups.others);
  return judge(
    total(groups.candidate),
    others.requests >= limits.minimumRequests ? others : { ...total(before), vmFailures: others.vmFailures },
    limits,
    isSplit(state) ? candidateShare(state) / 100 : 1,
  );
}

interface Counted {
  readonly groups: Record<"candidate" | "others", ProxyCounts[]>;
  readonly before: readonly ProxyCounts[];
}

/**
 * What was counted since the step began by those with the candidate and by the others, and what the first ones had
 * counted before it came.
 */
function group(start: Readings, pages: Pages, isFirst: (address: string) => boolean): Counted {
  const groups: Record<"candidate" | "others", ProxyCounts[]> = { candidate: [], others: [] };
  const before: ProxyCounts[] = [];
  for (const { proxy, now } of pages) {
    if (now === undefined) continue;
    if (!start.before.has(proxy.name)) start.before.set(proxy.name, now);
    const atStep = start.counts.get(proxy.name);
    if (atStep === undefined) {
      start.counts.set(proxy.name, now);
      continue;
    }
    const has = isFirst(proxy.address);
    groups[has ? "candidate" : "others"].push(difference(now, atStep));
    if (has) before.push(start.before.get(proxy.name) ?? noCounts);
  }
  return { groups, before };
}

/**
 * A trap is the version's own, whoever else is on the proxy. Those of the version before in the same time excuse as
 * many.
 */
function judgeTraps(
  plugin: string,
  { candidate, stable }: RolloutState,
  traps: Pick<TrapCounts, "of" | "since">,
): string | undefined {
  if (candidate === undefined) return undefined;
  const [count, usual] = [candidate.version, stable].map((version) => traps.since(plugin, version, candidate.sinceMs));
  const summary = traps.of(plugin, candidate.version);
  if (count === undefined || usual === undefined || summary === undefined || count <= usual) return undefined;
  const { last } = summary;
  const where = `last in ${last.callback} on ${last.proxy}: ${last.message}`;
  return `it trapped ${count === 1 ? "once" : `${count} times`}, ${where} (${usual} times at the version before)`;
}
