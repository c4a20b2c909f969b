import { describe, expect, it } from "vitest";
import { renderVerdicts, summarizeChains } from "../../bench/chain/report.ts";
import { guestCost } from "../../bench/filters/guest.ts";
import { type HotswapResult, verdicts } from "../../bench/hotswap/report.ts";
import { Histogram } from "../../bench/load/histogram.ts";
import { parseWrk } from "../../bench/load/wrk.ts";
import { compileRaw } from "../../bench/modules/compile.ts";
import { parseOptions } from "../../bench/options.ts";
import { isNoise, pairedDifference, quantile, summarize, withSpread } from "../../bench/statistics.ts";
import { renderBars } from "../../bench/svg.ts";
import { renderTable } from "../../bench/table.ts";

describe("statistics", () => {
  it("interpolates between neighbours", () => {
    expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5);
    expect(quantile([7], 0.99)).toBe(7);
    expect(quantile([], 0.5)).toBeNaN();
  });

  it("leaves one bad round out of the spread, where there are enough", () => {
    expect(summarize([1, 2, 100])).toMatchObject({ median: 2, low: 1, high: 100 });
    expect(summarize([1, 2, 3, 4, 100])).toMatchObject({ median: 3, low: 2, high: 4 });
  });

  it("compares within a round, so that a slow drift does not count", () => {
    expect(pairedDifference([12, 22, 32], [10, 20, 30])).toMatchObject({ median: 2, low: 2, high: 2 });
  });

  it("calls noise what is", () => {
    expect(isNoise({ median: 2, low: -1, high: 3, values: [] })).toBe(true);
    expect(isNoise({ median: 2, low: 1, high: 4, values: [] })).toBe(true);
    expect(isNoise({ median: 2, low: 1.5, high: 2.5, values: [] })).toBe(false);
    expect(withSpread({ median: 2, low: 1.5, high: 2.5, values: [] })).toBe("2.0 ±0.5");
  });
});

it("a histogram's quantiles are within its steps", () => {
  const histogram = new Histogram();
  for (let ms = 1; ms <= 1000; ms++) histogram.add(ms);
  expect(Math.abs(histogram.quantileMs(0.5) / 500 - 1)).toBeLessThan(0.03);
  expect(Math.abs(histogram.quantileMs(0.99) / 990 - 1)).toBeLessThan(0.03);
  expect(histogram.maxMs).toBe(1000);
  expect(new Histogram().quantileMs(0.5)).toBe(0);
});

it("a table's columns stand under each other", () => {
  expect(
    renderTable(
      ["chain", "µs"],
      [
        ["empty", "20.0"],
        ["no-op module", "3.1"],
      ],
    ),
  ).toBe("chain           µs\n────────────  ────\nempty         20.0\nno-op module   3.1");
});

it("a picture escapes its texts and shows every bar", () => {
  const svg = renderBars("A & B", "µs", [
    { label: "<one>", group: "a", value: summarize([1, 2, 3]) },
    { label: "two", group: "b", value: summarize([-1]) },
  ]);
  expect(svg).toContain("A &amp; B");
  expect(svg).toContain("&lt;one&gt;");
  expect(svg).toContain("2.0 µs");
  expect(svg).not.toContain('width="-');
});

it("reads wrk's report", () => {
  const report = `Running 2s test @ http://127.0.0.1:1/
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   410.25us  120.11us   4.52ms   90.00%
  Latency Distribution
     50%  390.00us
     99%    1.20ms
  70123 requests in 2.01s, 8.00MB read
  Socket errors: connect 0, read 2, write 1, timeout 0
  Non-2xx or 3xx responses: 5
Requests/sec:  34887.06`;
  expect(parseWrk(report)).toMatchObject({ requests: 70123, failures: { "not 2xx": 5, socket: 3 } });
  expect(parseWrk(report).seconds).toBeCloseTo(2.01);
  expect(parseWrk(report).p50Ms).toBeCloseTo(0.39);
  expect(parseWrk(report).p99Ms).toBeCloseTo(1.2);
  expect(parseWrk(report).maxMs).toBeCloseTo(4.52);
});

describe("the command line", () => {
  it("takes options in both spellings", () => {
    expect(
      parseOptions(["filters", "--rounds", "7", "--json=x.json", "--quick", "--only", "authz,router"]),
    ).toMatchObject({
      kind: "options",
      options: { bench: "filters", rounds: 7, json: "x.json", quick: true, only: ["authz", "router"] },
    });
  });

  it.each([
    [["what"], /no bench what/],
    [["filters", "--rounds"], /--rounds needs a value/],
    [["filters", "--rounds", "0"], /from 1 to 100/],
    [["filters", "--rounds", "1.5"], /whole number/],
    [["filters", "--color"], /unknown option --color/],
    [["controlplane", "--from", "etcd"], /--from is files or kubernetes/],
  ])("%j is refused", (args, message) => {
    const parsed = parseOptions(args);
    expect(parsed.kind === "refused" && parsed.message).toMatch(message);
  });

  it("explains itself", () => {
    expect(parseOptions([])).toEqual({ kind: "help" });
    expect(parseOptions(["filters", "--help"])).toEqual({ kind: "help" });
  });
});

describe("what the swaps are held against", () => {
  const good: HotswapResult = {
    envoy: "1.40.0",
    workers: 2,
    betweenMs: 200,
    swaps: 2,
    more: 0,
    times: [
      { both: false, firstNewMs: 10, lastOldMs: 12 },
      { both: true, firstNewMs: 20, lastOldMs: 30 },
    ],
    load: { requests: 50_000, seconds: 2, failures: {}, p50Ms: 1, p99Ms: 2, p999Ms: 3, maxMs: 3, seen: {} },
    unversioned: 0,
    streams: { opened: { grpc: 1, webSocket: 1 }, messages: 5, lost: 0, broken: {} },
    quota: { tokens: 10, asked: 20, admitted: 10, otherFailures: {} },
    bytes: { before: 0, after: 0, afterMore: 0 },
    rejections: [],
  };
  const missed = (changes: Partial<HotswapResult>, perSecond = 25_000): readonly string[] =>
    verdicts({ ...good, ...changes }, perSecond).filter((line) => line.includes("missed"));

  it("is met by a run without a flaw", () => {
    expect(missed({})).toEqual([]);
  });

  it.each<[string, Partial<HotswapResult>, number]>([
    ["requests/s", {}, 19_999],
    ["failed request", { load: { ...good.load, failures: { 503: 1 } } }, 25_000],
    ["broken stream", { streams: { ...good.streams, broken: { "gRPC closed (8)": 1 } } }, 25_000],
    ["lost message", { streams: { ...good.streams, lost: 1 } }, 25_000],
    ["last worker", { times: [{ both: false, firstNewMs: 10, lastOldMs: 101 }] }, 25_000],
    ["quota", { quota: { ...good.quota, admitted: 11 } }, 25_000],
    ["quota", { quota: { ...good.quota, admitted: 9 } }, 25_000],
  ])("is missed by %s", (what, changes, perSecond) => {
    expect(missed(changes, perSecond).join()).toContain(what);
  });
});

it("a chain's sidecars are held against the bare ones of the same round, both together", () => {
  const turn = (client: number, server: number, keptUp = true) => ({
    ...{ cpuUs: [client, server] as const, bytes: [70e6, 70e6] as const, keptUp, failed: 0 },
    ...{ p50Ms: 1, p99Ms: 2, p999Ms: 3, requests: 100 },
  });
  const cases = [{ name: "bare Envoys" }, { name: "ours", targets: { cpu: 1.25, memory: 1.15 } }] as const;
  const bare = [turn(70, 80), turn(140, 160)];
  const [, ours] = summarizeChains(cases, [bare, [turn(90, 90), turn(180, 180)]]);
  expect(ours?.cpuRatio).toMatchObject({ median: 1.2, low: 1.2, high: 1.2 });
  expect(ours?.memoryRatio.median).toBe(1);
  const verdicts = (...rounds: readonly ReturnType<typeof turn>[]) =>
    renderVerdicts(summarizeChains(cases, [bare, rounds])).join("\n");
  expect(verdicts(turn(90, 90), turn(180, 180))).toContain("≤ 1.25: met");
  expect(verdicts(turn(100, 100), turn(200, 200))).toContain("≤ 1.25: missed");
  expect(verdicts(turn(90, 90), turn(200, 200))).toContain("≤ 1.25: the rounds disagree");
  expect(verdicts(turn(90, 90, false), turn(180, 180, false))).toContain("the pace was not kept");
});

it("a module's own cost is told by what it calls", async () => {
  const noop = guestCost({ path: await compileRaw("noop"), configuration: "" }, 10);
  expect(noop.entries).toEqual({ proxy_on_context_create: 1, proxy_on_request_headers: 1 });
  expect(noop.calls).toEqual({});
  const authz = guestCost({ path: await compileRaw("authz"), configuration: "" }, 10);
  expect(authz.calls).toEqual({ proxy_get_header_map_pairs: 1, proxy_get_property: 2, proxy_increment_metric: 1 });
}, 60_000);
