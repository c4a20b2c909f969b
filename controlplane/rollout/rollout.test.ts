import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bucketOf } from "./bucket.ts";
import { difference, judge, noCounts, type ProxyCounts, total } from "./health.ts";
import { isFailed } from "../model/failure.ts";
import { parseRolloutPlan, type RolloutPlan } from "./plan.ts";
import { readCounts, statsPath } from "./proxy-counts.ts";
import { reachOf } from "./reach.ts";
import {
  advance,
  candidateShare,
  newRollout,
  type RolloutEvent,
  type RolloutState,
  versionFor,
  versionsKept,
} from "./state.ts";

function planOf(text: string): RolloutPlan {
  const parsed = parseRolloutPlan(text);
  if (isFailed(parsed)) throw new Error(parsed.message);
  return parsed;
}
const plan = planOf("{steps: [{percent: 10, pause: 60s}, {percent: 50, pause: 60s}]}");

function play(...events: readonly RolloutEvent[]): RolloutState {
  return events.reduce((state, event) => advance(state, event).state, newRollout);
}
const first: RolloutEvent = { kind: "version", version: "v1", plan, waits: false, nowMs: 0 };
const second = { kind: "version", version: "v2", plan, waits: false, nowMs: 1_000 } satisfies RolloutEvent;

describe("a rollout", () => {
  it("serves the first version to all at once", () =>
    expect(play(first)).toMatchObject({ stable: "v1", candidate: undefined }));
  it("gives a new version to the first step's share", () => {
    const state = play(first, second);
    expect([candidateShare(state), versionFor(state, 9, 10), versionFor(state, 10, 10)]).toEqual([10, "v2", "v1"]);
  });
  it("goes on when a step's time has passed in health, and ends with all", () => {
    expect(candidateShare(play(first, second, { kind: "healthy", nowMs: 60_999 }))).toBe(10);
    expect(candidateShare(play(first, second, { kind: "healthy", nowMs: 61_000 }))).toBe(50);
    const done = play(
      first,
      second,
      { kind: "healthy", nowMs: 61_000 },
      { kind: "healthy", nowMs: 121_000 },
      { kind: "healthy", nowMs: 121_001 },
    );
    expect(done).toMatchObject({ stable: "v2", candidate: undefined });
    expect(done.history.at(-1)).toMatchObject({ version: "v2", outcome: "promoted" });
  });
  it("waits for somebody in a step without an end", () => {
    const open = planOf("{steps: [{percent: 5}]}");
    const state = play(first, { ...second, plan: open }, { kind: "healthy", nowMs: 1e12 });
    expect(candidateShare(state)).toBe(5);
    expect(advance(state, { kind: "promote", nowMs: 2e12 }).state.stable).toBe("v2");
  });
  it("takes a sick version back and does not try it again by itself", () => {
    const state = play(first, second, { kind: "unhealthy", why: "5xx", nowMs: 2_000 }, { ...second, nowMs: 3_000 });
    expect(state).toMatchObject({ stable: "v1", candidate: undefined, refused: "v2" });
    expect(state.history.at(-1)).toMatchObject({ version: "v2", outcome: "rolled back", why: "5xx" });
  });
  it("tries a newer one after that", () =>
    expect(
      play(first, second, { kind: "unhealthy", why: "", nowMs: 2_000 }, { ...second, version: "v3" }).candidate
        ?.version,
    ).toBe("v3"));
  it("aborts, promotes and undoes when asked to", () => {
    expect(play(first, second, { kind: "abort", nowMs: 5 })).toMatchObject({ stable: "v1", refused: "v2" });
    const undone = play(first, second, { kind: "promote", nowMs: 5 }, { kind: "undo", nowMs: 6 });
    expect(undone).toMatchObject({ stable: "v1", refused: "v2" });
    expect(
      play(first, second, { kind: "promote", nowMs: 5 }, { kind: "undo", nowMs: 6 }, { ...second, nowMs: 7 }).stable,
    ).toBe("v1");
  });
  it("undoes one version after the other", () => {
    const simple = (version: string): RolloutEvent => ({
      kind: "version",
      version,
      plan: undefined,
      waits: false,
      nowMs: 0,
    });
    const three = play(simple("v1"), simple("v2"), simple("v3"));
    const once = advance(three, { kind: "undo", nowMs: 1 }).state;
    expect(once.stable).toBe("v2");
    const twice = advance(once, { kind: "undo", nowMs: 2 }).state;
    expect(twice.stable).toBe("v1");
    // What the plugin still asks for is offered again after a restart, and was undone.
    expect(advance(twice, simple("v3")).state.stable).toBe("v1");
    expect(advance(twice, simple("v2")).state.stable).toBe("v2");
  });
  it("moves with the machine's clock, and is watched again after a restart", () => {
    const moved = (byMs: number) => advance(play(first, second), { kind: "clock", byMs }).state;
    expect(moved(3_600_000).candidate).toMatchObject({ stepSinceMs: 3_601_000, sinceMs: 3_601_000 });
    expect(candidateShare(advance(moved(-500), { kind: "healthy", nowMs: 60_500 }).state)).toBe(50);
    const resumed = (nowMs: number) =>
      advance(play(first, second), { kind: "resumed", nowMs }).state.candidate?.stepSinceMs;
    expect([resumed(20_000), resumed(3_600_000)]).toEqual([1_000, 3_570_000]);
    expect(play(first, { kind: "resumed", nowMs: 5 }, { kind: "clock", byMs: 5 })).toEqual(play(first));
  });
  it("can go back however often something newer was tried in vain", () => {
    const attempts = Array.from({ length: 25 }, (_, i): readonly RolloutEvent[] => [
      { kind: "version", version: `bad-${i}`, plan, waits: false, nowMs: i },
      { kind: "unhealthy", why: "5xx", nowMs: i },
    ]).flat();
    const state = play(first, { ...second, plan: undefined }, ...attempts);
    expect(state.history).toHaveLength(10);
    expect(state.history.at(-1)).toMatchObject({ version: "bad-24" });
    expect(advance(state, { kind: "undo", nowMs: 99 }).state.stable).toBe("v1");
  });
  it("says what cannot be done", () => {
    for (const kind of ["promote", "abort", "undo"] as const)
      expect(advance(play(first), { kind, nowMs: 1 }).refusal).toBeDefined();
  });
  it("serves at once where there is no plan", () =>
    expect(play(first, { ...second, plan: undefined })).toMatchObject({ stable: "v2", candidate: undefined }));

  it("takes a plan that says the same as no change, however often it is asked", () => {
    const state = play(first, second);
    expect(
      advance(state, {
        ...second,
        plan: planOf("{steps: [{percent: 10, pause: 60s}, {percent: 50, pause: 60s}]}"),
        nowMs: 9_000,
      }).state,
    ).toBe(state);
  });
  it("never widens a share because its plan was edited, and begins the step anew where the share is another", () => {
    const half = play(first, second, { kind: "healthy", nowMs: 61_000 });
    const edited = (text: string) => advance(half, { ...second, plan: planOf(text), nowMs: 70_000 }).state;
    expect(edited("{steps: [{percent: 5}]}").candidate).toMatchObject({ step: 0, stepSinceMs: 70_000 });
    expect(candidateShare(edited("{steps: [{percent: 5}]}"))).toBe(5);
    expect(candidateShare(edited("{steps: [{percent: 5}, {percent: 40}, {percent: 60}]}"))).toBe(40);
    expect(edited("{steps: [{percent: 50, pause: 9s}]}").candidate).toMatchObject({ step: 0, stepSinceMs: 61_000 });
  });

  it("always has a version for everybody once it had one, and never more candidates than its share", () => {
    const event = fc.oneof(
      fc.record({
        kind: fc.constant("version" as const),
        version: fc.constantFrom("v1", "v2", "v3", "v4"),
        plan: fc.constantFrom(plan, undefined),
        waits: fc.boolean(),
        nowMs: fc.nat(1e6),
      }),
      fc.record({
        kind: fc.constantFrom(
          "healthy" as const,
          "begin" as const,
          "promote" as const,
          "abort" as const,
          "undo" as const,
        ),
        nowMs: fc.nat(1e6),
      }),
      fc.record({ kind: fc.constant("unhealthy" as const), why: fc.constant("x"), nowMs: fc.nat(1e6) }),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), (events) => {
        const state = play(first, ...events);
        for (let bucket = 0; bucket < 100; bucket++)
          expect(versionsKept(state)).toContain(versionFor(state, bucket, candidateShare(state)));
        expect(state.candidate?.version === state.stable).toBe(false);
      }),
    );
  });
});

describe("parseRolloutPlan", () => {
  it("fills in what is not said", () =>
    expect(plan).toMatchObject({
      steps: [{ percent: 10, pauseMs: 60_000 }, { percent: 50 }, { percent: 100, pauseMs: 0 }],
      rollback: { errorRate: 1, latency: 50 },
    }));
  it.each([
    ["", "the plan: expected fields such as steps"],
    ["steps: []", "steps: expected a list of 1 to 20 steps such as {percent: 10, pause: 1m}"],
    ["steps: [{percent: 0}]", "steps[0].percent: expected a whole number from 1 to 100"],
    ["steps: [{percent: 10, pause: soon}]", "steps[0].pause: expected a duration such as 60s"],
    ["steps: [{percent: 20}, {percent: 10}]", "steps[1].percent: expected more than the step before"],
    [
      "{steps: [{percent: 1}], rollback: {errors: 1}}",
      "rollback: there is no field errors; there are errorRate, latency, metric, minimumRequests",
    ],
    ["{steps: [{percent: 1}], rollback: {latency: -1}}", "rollback.latency: expected a number from 0 on"],
    ["{steps: [{percent: 1}], rollback: {latency: .inf}}", "rollback.latency: expected a number from 0 on"],
    ["{", "it is not YAML"],
    ["steps: [&a {percent: 1}, *a]", "steps[1].percent: expected more than the step before"],
  ])("refuses %s", (text, message) =>
    expect(parseRolloutPlan(text)).toEqual({ kind: "failed", code: "invalid-plan", message }),
  );
  it("refuses brackets without end", () =>
    expect(parseRolloutPlan("[".repeat(60_000))).toEqual({
      kind: "failed",
      code: "invalid-plan",
      message: "it is not YAML",
    }));
});

describe("bucketOf", () => {
  it("spreads proxies evenly and keeps each where it is", () => {
    const buckets = Array.from({ length: 10_000 }, (_, i) => bucketOf("default/header", `10.0.${i >> 8}.${i & 255}`));
    const share = buckets.filter((bucket) => bucket < 10).length / buckets.length;
    expect(share).toBeGreaterThan(0.09);
    expect(share).toBeLessThan(0.11);
    expect(bucketOf("default/header", "10.0.0.7")).toBe(buckets[7]);
  });
});

describe("reachOf", () => {
  it("is the share itself where proxies lie on both sides of it, and of all or none of them", () => {
    expect([reachOf([3, 40, 90], 50), reachOf([3, 40, 90], 100), reachOf([3, 40], 0), reachOf([], 20)]).toEqual([
      50, 100, 0, 20,
    ]);
  });
  it("always has one in, and one out where there are two: of few proxies a share may be none", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(99), { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 99 }),
        (buckets, percent) => {
          const reach = reachOf(buckets, percent);
          const isIn = buckets.filter((bucket) => bucket < reach).length;
          expect(isIn).toBeGreaterThan(0);
          if (new Set(buckets).size > 1) expect(isIn).toBeLessThan(buckets.length);
        },
      ),
    );
  });
  it("only grows with the share", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(99), { maxLength: 8 }), fc.nat(99), (buckets, percent) => {
        expect(reachOf(buckets, percent + 1)).toBeGreaterThanOrEqual(reachOf(buckets, percent));
      }),
    );
  });
});

describe("judge", () => {
  const limits = planOf("{steps: [{percent: 10}], rollback: {metric: {name: bad_total, perThousand: 5}}}").rollback;
  const counts = (changes: Partial<ProxyCounts> = {}): ProxyCounts => ({
    requests: 1_000,
    serverErrors: 0,
    vmFailures: 0,
    metric: 0,
    hasMetric: true,
    latency: [
      { upToMs: 10, count: 1_000 },
      { upToMs: 100, count: 1_000 },
    ],
    ...changes,
  });
  it("is content with a version that does as the one before", () =>
    expect(judge(counts(), counts(), limits)).toBeUndefined());
  it.each<[string, Partial<ProxyCounts>]>([
    ["answers with errors", { serverErrors: 30 }],
    ["lets its VM fail", { vmFailures: 1 }],
    [
      "is slow",
      {
        latency: [
          { upToMs: 10, count: 500 },
          { upToMs: 100, count: 1_000 },
        ],
      },
    ],
    ["counts what it should not", { metric: 6 }],
  ])("takes one back that %s", (_, changes) => expect(judge(counts(changes), counts(), limits)).toBeDefined());
  it("forgives what the version before did too", () =>
    expect(judge(counts({ serverErrors: 300 }), counts({ serverErrors: 300 }), limits)).toBeUndefined());
  it("blames no version for what is chance: one error more among few requests", () => {
    expect(
      judge(counts({ requests: 60, serverErrors: 4 }), counts({ requests: 200, serverErrors: 8 }), limits),
    ).toBeUndefined();
    expect(
      judge(counts({ requests: 6_000, serverErrors: 400 }), counts({ requests: 20_000, serverErrors: 800 }), limits),
    ).toMatch(/6.7 % of its answers are 5xx/);
    expect(judge(counts({ requests: 60, serverErrors: 60 }), noCounts, limits)).toBeDefined();
  });
  it("blames no version for the slowest of few requests, but for more than that", () => {
    const withSlow = (requests: number, slow: number) =>
      counts({
        requests,
        latency: [
          { upToMs: 10, count: requests - slow },
          { upToMs: 100, count: requests },
        ],
      });
    const quick = withSlow(1_000, 0);
    expect(judge(withSlow(60, 2), quick, limits)).toBeUndefined();
    expect(judge(withSlow(60, 3), quick, limits)).toMatch(/its p99 is 100 ms \(10 ms at the version before/);
    expect(judge(withSlow(10_000, 120), quick, limits)).toBeUndefined();
    expect(judge(withSlow(10_000, 140), quick, limits)).toBeDefined();
  });

  it("blames no version for some milliseconds where the one before took none that Envoy tells", () => {
    const within = (upToMs: number) => counts({ requests: 1_000, latency: [{ upToMs, count: 1_000 }] });
    expect(judge(within(10), within(0), { ...limits, latency: 1_000 })).toBeUndefined();
    expect(judge(within(25), within(0), { ...limits, latency: 1_000 })).toMatch(/its p99 is 25 ms/);
  });

  it("sees what a share of the requests does wrong among all of them", () => {
    const mixed = counts({ requests: 4_000, serverErrors: 40 });
    expect(judge(mixed, counts({ requests: 50_000 }), limits)).toBeUndefined();
    expect(judge(mixed, counts({ requests: 50_000 }), limits, 0.1)).toMatch(/1.0 % of all answers are 5xx/);
    expect(
      judge(counts({ requests: 4_000, metric: 8 }), counts({ requests: 50_000, metric: 50 }), limits, 0.1),
    ).toMatch(/bad_total rose by 8/);
    expect(
      judge(counts({ requests: 4_000, metric: 5 }), counts({ requests: 50_000, metric: 50 }), limits, 0.1),
    ).toBeUndefined();
  });
  it("says nothing of a few requests, unless the VM fails", () => {
    expect(judge(counts({ requests: 10, serverErrors: 10 }), counts(), limits)).toBeUndefined();
    expect(judge(counts({ requests: 0, vmFailures: 2 }), counts(), limits)).toBeDefined();
  });
  it("counts from a reading on, also of a proxy that was started anew", () => {
    expect(difference(counts({ requests: 1_500, serverErrors: 7 }), counts({ serverErrors: 5 }))).toMatchObject({
      requests: 500,
      serverErrors: 2,
    });
    expect(difference(counts({ requests: 20 }), counts())).toMatchObject({ requests: 20 });
    expect(total([counts(), counts(), noCounts])).toMatchObject({ requests: 2_000 });
  });
});

describe("readCounts", () => {
  it("reads an Envoy's page and leaves its own admin out", () => {
    const page = `# TYPE envoy_http_downstream_rq_completed counter
envoy_http_downstream_rq_completed{envoy_http_conn_manager_prefix="admin"} 50
envoy_http_downstream_rq_completed{envoy_http_conn_manager_prefix="inbound_9080"} 7
envoy_http_downstream_rq_xx{envoy_response_code_class="5",envoy_http_conn_manager_prefix="inbound_9080"} 2
envoy_http_downstream_rq_xx{envoy_response_code_class="2",envoy_http_conn_manager_prefix="inbound_9080"} 5
envoy_http_downstream_rq_time_bucket{envoy_http_conn_manager_prefix="inbound_9080",le="5"} 6
envoy_http_downstream_rq_time_bucket{envoy_http_conn_manager_prefix="inbound_9080",le="+Inf"} 7
bad_total{} 3
envoy_wasm_extensions_istio_io_wasmplugin_shop_a_header_vm_reload_success{} 1
envoy_wasm_extensions_istio_io_wasmplugin_shop_other_vm_reload_success{} 4
envoy_wasm_scrim_telemetry_outbound_vm_reload_failure{} 4
`;
    expect(readCounts(page, "bad_total", "shop/a-header")).toEqual({
      requests: 7,
      serverErrors: 2,
      vmFailures: 1,
      metric: 3,
      hasMetric: true,
      latency: [{ upToMs: 5, count: 6 }],
    });
    expect(readCounts(page, "good_total", "shop/a-header")).toMatchObject({ metric: 0, hasMetric: false });
    expect(statsPath("bad_total")).toContain("bad_total");
  });
});
