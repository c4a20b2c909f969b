import { createHost, type Fault, type Host, type HostOptions, startHost, Status } from "proxy-wasm-host";
import { beforeAll, describe, expect, it } from "vitest";
import { buildFixture } from "../../filters/sdk/testing/build.ts";

let sample: Uint8Array;
beforeAll(async () => {
  sample = await buildFixture("sample");
}, 180_000);

const host = (faults: readonly Fault[], options: Partial<HostOptions> = {}): Host =>
  createHost({ module: sample, configuration: "{}", faults, ...options });
const seen = (one: Host): string | undefined => one.run({ headers: { "x-key": "k" } }).requestHeaders.get("x-seen");

describe("injected faults", () => {
  it("answer any status, each time or the n-th", () => {
    const always = host([{ call: "proxy_get_header_map_pairs", answer: Status.InternalFailure }]);
    expect([seen(always), seen(always)]).toEqual([undefined, undefined]);
    const second = host([{ call: "proxy_get_header_map_pairs", nth: 2, answer: Status.NotFound }]);
    expect([seen(second), seen(second), seen(second)].map((value) => value !== undefined)).toEqual([true, false, true]);
  });

  it("keep to a callback and a worker", () => {
    const faults: Fault[] = [
      { call: "proxy_get_header_map_pairs", callback: "proxy_on_request_headers", worker: 1, answer: Status.NotFound },
    ];
    const one = host(faults, { workers: 2 });
    const seenBy = (worker: number): boolean =>
      one.run({ headers: { "x-key": "k" }, worker }).requestHeaders.has("x-seen");
    expect([seenBy(0), seenBy(1)]).toEqual([true, false]);
  });

  it("let the module's allocator give nothing", () => {
    const one = host([{ call: "allocator", callback: "proxy_on_request_headers", answer: Status.Ok }]);
    expect(seen(one)).toBeUndefined();
    expect(one.failure()).toBeUndefined();
  });

  it("trap, and the VM is dead; also while it is configured", () => {
    const one = host([{ call: "proxy_get_header_map_pairs", nth: 2, answer: "trap" }]);
    expect(seen(one)).toBeDefined();
    expect(one.run({ headers: { "x-key": "k" } }).reply).toMatchObject({ status: 503, isFailure: true });
    expect(one.failure()).toMatchObject({
      callback: "proxy_on_request_headers",
      message: expect.stringContaining("a trap was injected into proxy_get_header_map_pairs"),
    });
    expect(
      startHost({
        module: sample,
        configuration: "{}",
        faults: [{ call: "proxy_define_metric", worker: 0, answer: "trap" }],
      }),
    ).toMatchObject({ kind: "failed", code: "configure" });
  });

  it("that could never happen are refused, and those that did not are named", () => {
    expect(() => host([{ call: "proxy_get_header", answer: "trap" }])).toThrow(
      "faults[0].call: there is no host function proxy_get_header",
    );
    expect(() => host([{ call: "fd_write", callback: "onLog", answer: 8 }])).toThrow(
      "faults[0].callback: there is no callback onLog",
    );
    const one = host([{ call: "proxy_get_header_map_pairs", nth: 2, answer: Status.NotFound }]);
    one.run();
    expect(() => one.verify()).toThrow(
      "faults[0]: expected a fault in proxy_get_header_map_pairs, it never came (such calls: 1)",
    );
    one.run();
    expect(() => one.verify()).not.toThrow();
  });
});

describe("a VM that is reloaded", () => {
  it("is replaced when its backoff, with jitter, is over: drawn anew for each stream", () => {
    const draws = [0.99, 0.99, 0.5];
    const one = host([], { failurePolicy: "reload", reload: { baseMs: 2000, random: () => draws.shift() ?? 0 } });
    const status = (action = "none"): number | undefined => one.run({ headers: { "x-action": action } }).reply?.status;
    expect(status("abort")).toBe(503);
    one.advance(2500);
    expect(status()).toBe(503); // 2,990 ms were drawn
    expect(status()).toBe(503);
    expect(status()).toBeUndefined(); // 2,500 ms were drawn
  });
});

describe("callouts", () => {
  it("know which stream made them", () => {
    const one = host([]);
    const streams = [1, 2].map(() => one.newStream({ headers: { "x-action": "call" } }));
    for (const stream of streams) stream.sendRequestHeaders();
    expect(one.httpCalls.map((call) => call.contextId)).toEqual(streams.map((stream) => stream.id));
  });
});
