// What chains cost, as a table and sentences.
import { type Summary, summarize, withSpread } from "../statistics.ts";
import { renderTable } from "../table.ts";
import { BARE, type Case } from "./cases.ts";
import type { BySidecar, Measurement } from "./measure.ts";

/** One case over all rounds. */
export interface CaseResult {
  readonly name: string;
  readonly targets: Case["targets"];
  /** Microseconds per request: of the client's sidecar, of the server's. */
  readonly cpuUs: readonly [Summary, Summary];
  readonly bytes: readonly [Summary, Summary];
  /** Of both sidecars together, over the bare ones of the same round. */
  readonly cpuRatio: Summary;
  readonly memoryRatio: Summary;
  readonly p50Ms: Summary;
  readonly p99Ms: Summary;
  readonly p999Ms: Summary;
  /** Whether the pace was kept in most rounds. */
  readonly keptUp: boolean;
  readonly failed: number;
}

/** Returns the results by case; the first case is the bare one. */
export function summarizeChains(
  cases: readonly Pick<Case, "name" | "targets">[],
  measured: readonly (readonly Measurement[])[],
): readonly CaseResult[] {
  const bare = measured[cases.findIndex(({ name }) => name === BARE)] ?? [];
  return cases.map(({ name, targets }, index) => {
    const rounds = measured[index] ?? [];
    const of = (pick: (measurement: Measurement) => number): Summary => summarize(rounds.map(pick));
    const overBare = (pick: (measurement: Measurement) => BySidecar): Summary =>
      summarize(rounds.map((one, round) => sum(pick(one)) / (bare[round] ? sum(pick(bare[round])) : NaN)));
    return {
      name,
      targets,
      cpuUs: [of(({ cpuUs }) => cpuUs[0]), of(({ cpuUs }) => cpuUs[1])],
      bytes: [of(({ bytes }) => bytes[0]), of(({ bytes }) => bytes[1])],
      cpuRatio: overBare(({ cpuUs }) => cpuUs),
      memoryRatio: overBare(({ bytes }) => bytes),
      p50Ms: of(({ p50Ms }) => p50Ms),
      p99Ms: of(({ p99Ms }) => p99Ms),
      p999Ms: of(({ p999Ms }) => p999Ms),
      keptUp: rounds.filter(({ keptUp }) => keptUp).length * 2 > rounds.length,
      failed: rounds.reduce((total, { failed }) => total + failed, 0),
    };
  });
}

function sum([client, server]: BySidecar): number {
  return client + server;
}

const HEAD = [
  ...["mesh", "client µs", "server µs", "CPU : bare", "p50 ms", "p99 ms", "p99.9 ms"],
  ...["client MB", "server MB", "memory : bare", "failed"],
];

/** Returns the table. */
export function renderChains(results: readonly CaseResult[]): string {
  return renderTable(
    HEAD,
    results.map((one) => [
      one.name,
      ...one.cpuUs.map((summary) => withSpread(summary)),
      one.name === BARE ? "" : withSpread(one.cpuRatio, 2),
      `${withSpread(one.p50Ms, 2)}${one.keptUp ? "" : " !"}`,
      ...[one.p99Ms, one.p999Ms].map((summary) => withSpread(summary)),
      ...one.bytes.map(({ median }) => (median / 1e6).toFixed(1)),
      one.name === BARE ? "" : withSpread(one.memoryRatio, 2),
      String(one.failed),
    ]),
  );
}

/** Returns a line for each target, and one where numbers cannot be trusted. */
export function renderVerdicts(results: readonly CaseResult[]): readonly string[] {
  const lines = results.flatMap(({ name, targets, cpuRatio, memoryRatio }) =>
    targets === undefined
      ? []
      : [
          `${name}: CPU ${withSpread(cpuRatio, 2)} of bare (target ≤ ${targets.cpu}: ${verdict(cpuRatio, targets.cpu)}), ` +
            `memory ${withSpread(memoryRatio, 2)} (target ≤ ${targets.memory}: ${verdict(memoryRatio, targets.memory)})`,
        ],
  );
  return results.every(({ keptUp }) => keptUp)
    ? lines
    : [...lines, "! the pace was not kept: something else kept the machine busy, and the latencies say that only"];
}

/** Neither met nor missed, where the rounds disagree. */
function verdict({ low, high }: Summary, wanted: number): string {
  return high <= wanted ? "met" : low > wanted ? "missed" : "the rounds disagree";
}
