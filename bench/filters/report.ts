// The filters' costs as a table, a picture and sentences.
import { isNoise, pairedDifference, type Summary, summarize, withSpread } from "../statistics.ts";
import { type Bar, renderBars } from "../svg.ts";
import { renderTable } from "../table.ts";
import { type Case, EMPTY, linearMemoryKiB } from "./cases.ts";
import type { Measurement } from "./measure.ts";

/** One case over all rounds. */
export interface CaseResult {
  readonly name: string;
  readonly group: string;
  /** Microseconds of CPU per request. */
  readonly cpuUs: Summary;
  /** Microseconds of CPU per request over the empty chain of the same round. */
  readonly addedUs: Summary;
  readonly p50Ms: Summary;
  readonly p99Ms: Summary;
  /** Whether the pace of p50 and p99 was kept in most rounds. */
  readonly keptUp: boolean;
  readonly requestsPerSecond: Summary;
  /** Linear memory of the modules for one worker, once they serve (at start, where that is not known). */
  readonly linearMemoryKiB: number;
  /** Growth of Envoy's resident memory over all rounds but the first, bytes per request. */
  readonly grownBytesPerRequest: number;
  readonly failed: number;
  /**
   * Per request, on a host that does nothing: entries into VMs, calls out of them, and nanoseconds of the modules' own
   * code; undefined without modules.
   */
  readonly guest?: {
    readonly entries: number;
    readonly calls: number;
    readonly nanoseconds: number;
    readonly memoryBytes: number;
  };
}

/** Returns the results by case; the first case is the empty chain. */
export function summarizeCases(
  cases: readonly Case[],
  measured: readonly (readonly Measurement[])[],
  guests: readonly CaseResult["guest"][] = [],
): readonly CaseResult[] {
  const empty = measured[cases.findIndex(({ name }) => name === EMPTY)] ?? [];
  return cases.map((one, index) => {
    const rounds = measured[index] ?? [];
    const of = (pick: (measurement: Measurement) => number): number[] => rounds.map(pick);
    const later = rounds.length > 1 ? rounds.slice(1) : rounds;
    const sum = (pick: (measurement: Measurement) => number): number =>
      later.reduce((total, measurement) => total + pick(measurement), 0);
    return {
      name: one.name,
      group: one.group,
      cpuUs: summarize(of(({ cpuUs }) => cpuUs)),
      addedUs: pairedDifference(
        of(({ cpuUs }) => cpuUs),
        empty.map(({ cpuUs }) => cpuUs),
      ),
      p50Ms: summarize(of(({ p50Ms }) => p50Ms)),
      p99Ms: summarize(of(({ p99Ms }) => p99Ms)),
      keptUp: rounds.filter(({ keptUp }) => keptUp).length * 2 > rounds.length,
      requestsPerSecond: summarize(of(({ requestsPerSecond }) => requestsPerSecond)),
      linearMemoryKiB: guests[index] === undefined ? linearMemoryKiB(one) : guests[index].memoryBytes / 1024,
      grownBytesPerRequest: sum(({ grownBytes }) => grownBytes) / sum(({ requests }) => requests),
      ...(guests[index] && { guest: guests[index] }),
      failed: of(({ failed }) => failed).reduce((total, count) => total + count, 0),
    };
  });
}

const HEAD = [
  "chain",
  "CPU µs",
  "added µs",
  "p50 ms",
  "p99 ms",
  "req/s",
  "entries",
  "calls",
  "own ns",
  "VM KiB",
  "growth B/req",
  "failed",
];

/** Returns the table. */
export function renderCases(results: readonly CaseResult[]): string {
  return renderTable(
    HEAD,
    results.map((one) => [
      one.name,
      withSpread(one.cpuUs),
      one.name === EMPTY ? "" : `${withSpread(one.addedUs)}${isNoise(one.addedUs) ? " ?" : ""}`,
      one.p50Ms.median.toFixed(3),
      one.keptUp ? one.p99Ms.median.toFixed(3) : `${one.p99Ms.median.toFixed(3)} !`,
      one.requestsPerSecond.median.toFixed(0),
      ...(one.guest === undefined
        ? ["", "", ""]
        : [String(one.guest.entries), String(one.guest.calls), one.guest.nanoseconds.toFixed(0)]),
      one.linearMemoryKiB === 0 ? "" : one.linearMemoryKiB.toFixed(0),
      one.grownBytesPerRequest.toFixed(2),
      String(one.failed),
    ]),
  );
}

/** Pairs that the targets speak of: what, against what, and the ratio wanted. */
const RATIOS: readonly (readonly [string, string, number])[] = [
  ["authz", "authz by hand", 1.25],
  ["ratelimit", "ratelimit by hand", 1.25],
  ["all four fused", "all four by hand", 1.25],
  ["authz", "Rust SDK authz", 0.5],
  ["ratelimit", "Rust SDK ratelimit", 0.5],
];

/**
 * Returns the ratios of added CPU, round by round, that were aimed at, a line each; and how far numbers can be trusted.
 */
export function renderRatios(results: readonly CaseResult[]): readonly string[] {
  const byName = new Map(results.map((one) => [one.name, one]));
  const lines = RATIOS.flatMap(([left, right, wanted]) => {
    const [one, other] = [byName.get(left), byName.get(right)];
    if (one === undefined || other === undefined) return [];
    if (isNoise(one.addedUs) || isNoise(other.addedUs))
      return [`${left} : ${right}: the spread is larger than the difference, no ratio`];
    const ratio = summarize(one.addedUs.values.map((value, round) => value / (other.addedUs.values[round] ?? NaN)));
    const medians = one.addedUs.median / other.addedUs.median;
    const said = `target ≤ ${wanted}: ${verdict(ratio, wanted)}`;
    return [`${left} : ${right} = ${withSpread(ratio, 2)}, of the medians ${medians.toFixed(2)} (${said})`];
  });
  const noisy = results.filter((one) => one.name !== EMPTY && isNoise(one.addedUs)).map(({ name }) => name);
  if (results.some(({ keptUp }) => !keptUp))
    lines.push("! the pace was not kept: something else kept the machine busy, and the latencies say that only");
  return noisy.length === 0
    ? lines
    : [...lines, `? the spread over the rounds is larger than the difference to the empty chain: ${noisy.join(", ")}`];
}

/** Neither met nor missed, where the rounds disagree. */
function verdict({ low, high }: Summary, wanted: number): string {
  return high <= wanted ? "met" : low > wanted ? "missed" : "the rounds disagree";
}

/** Returns the picture of added CPU. */
export function renderPicture(results: readonly CaseResult[], subtitle: string): string {
  const bars: Bar[] = results
    .filter(({ name }) => name !== EMPTY)
    .map(({ name, group, addedUs }) => ({ label: name, group, value: addedUs }));
  return renderBars(`CPU per request over an empty chain (${subtitle})`, "µs", bars);
}
