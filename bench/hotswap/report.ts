// The swaps' results in words, against what was aimed at.
import type { LoadResult } from "../load/messages.ts";
import { quantile } from "../statistics.ts";
import { renderTable } from "../table.ts";
import type { StreamsResult } from "./streams-messages.ts";

export interface SwapTimes {
  /** Whether the rate limit changed together with the plugin. */
  readonly both: boolean;
  /** From the publication until the first answer of the new version, and until the last of an older one. */
  readonly firstNewMs: number;
  readonly lastOldMs: number;
}

export interface HotswapResult {
  readonly envoy: string;
  readonly workers: number;
  readonly betweenMs: number;
  readonly swaps: number;
  readonly more: number;
  readonly times: readonly SwapTimes[];
  readonly load: LoadResult;
  /** Answers that no version had touched. */
  readonly unversioned: number;
  readonly streams: StreamsResult;
  readonly quota: {
    readonly tokens: number;
    readonly asked: number;
    readonly admitted: number;
    readonly otherFailures: Readonly<Record<string, number>>;
  };
  /** Envoy's resident memory before the swaps, after the measured ones, and after the further ones. */
  readonly bytes: { readonly before: number; readonly after: number; readonly afterMore: number };
  readonly rejections: readonly string[];
}

const LEAST_REQUESTS_PER_SECOND = 20_000;
const P99_MS = 100;

const sum = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((total, count) => total + count, 0);
const kinds = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => ` ${kind}: ${count}`)
    .join(",");
const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** Prints the result, a line for each thing that was aimed at. */
export function reportHotswap(result: HotswapResult, print: (line: string) => void): void {
  const perSecond = result.load.requests / result.load.seconds;
  print(
    `Envoy ${result.envoy}, ${result.workers} workers, ${result.swaps} swaps (of a plugin; every fifth of ` +
      `the rate limit too), one every ${result.betweenMs} ms, ${perSecond.toFixed(0)} requests/s all the while\n`,
  );
  print(renderTimes(result));
  for (const line of costs(result)) print(line);
  for (const rejection of result.rejections) print(`rejected: ${rejection}`);
  print("");
  for (const line of verdicts(result, perSecond)) print(line);
}

function renderTimes({ times }: HotswapResult): string {
  const alone = times.filter(({ both }) => !both);
  const together = times.filter(({ both }) => both);
  return renderTable(
    ["from the publication until", "p50 ms", "p99 ms", "max ms", "swaps"],
    [
      row(
        "the first new answer, plugin",
        alone.map(({ firstNewMs }) => firstNewMs),
      ),
      row(
        "the last worker's last old answer, plugin",
        alone.map(({ lastOldMs }) => lastOldMs),
      ),
      row(
        "the last worker's last old answer, both",
        together.map(({ lastOldMs }) => lastOldMs),
      ),
    ],
  );
}

/** What it cost: requests, streams, quota, memory. */
function costs({ load, streams, quota, bytes, swaps, more, unversioned }: HotswapResult): readonly string[] {
  return [
    `\nrequests: ${load.requests}, failed: ${sum(load.failures)}${kinds(load.failures)}; answered ` +
      `without the filter: ${unversioned}; p50 ${load.p50Ms.toFixed(2)} ms, p99 ` +
      `${load.p99Ms.toFixed(2)} ms, max ${load.maxMs.toFixed(1)} ms`,
    `streams open all the while: ${streams.opened.grpc} gRPC, ${streams.opened.webSocket} WebSocket; ` +
      `messages there and back: ${streams.messages}, lost: ${streams.lost}; streams broken: ` +
      `${sum(streams.broken)}${kinds(streams.broken)}`,
    `quota: ${quota.tokens} tokens for ${quota.asked} requests over all versions, admitted: ` +
      `${quota.admitted}${kinds(quota.otherFailures)}`,
    `memory of Envoy: ${mib(bytes.before)} before, ${mib(bytes.after)} after ${swaps} ` +
      `swaps${more > 0 ? `, ${mib(bytes.afterMore)} after ${swaps + more}` : ""}`,
  ];
}

function row(name: string, values: readonly number[]): readonly string[] {
  return [
    name,
    ...quantiles(values).map((value) => value.toFixed(1)),
    String(values.filter((value) => !Number.isNaN(value)).length),
  ];
}

/** Returns a line for each target: met or missed. */
export function verdicts({ load, streams, quota, times }: HotswapResult, perSecond: number): readonly string[] {
  const [, p99 = NaN] = quantiles(times.map(({ lastOldMs }) => lastOldMs));
  const line = (what: string, met: boolean): string => `target ${met ? "met   " : "missed"}: ${what}`;
  return [
    line(
      `at least ${LEAST_REQUESTS_PER_SECOND} requests/s (${perSecond.toFixed(0)})`,
      perSecond >= LEAST_REQUESTS_PER_SECOND,
    ),
    line(`no failed request (${sum(load.failures)})`, sum(load.failures) === 0),
    line(
      `no broken stream, no lost message (${sum(streams.broken)}, ${streams.lost})`,
      sum(streams.broken) === 0 && streams.lost === 0,
    ),
    line(`the last worker has the new version within ${P99_MS} ms, p99 (${p99.toFixed(0)} ms)`, p99 <= P99_MS),
    line(
      `the quota is kept: as many admitted as there were tokens (${quota.admitted} of ${quota.tokens})`,
      quota.admitted === quota.tokens && sum(quota.otherFailures) === 0,
    ),
  ];
}

function quantiles(values: readonly number[]): readonly number[] {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  return [0.5, 0.99, 1].map((q) => quantile(sorted, q));
}
