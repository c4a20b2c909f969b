import { createHost, type Host, type HostOptions } from "proxy-wasm-host";
import { beforeAll, describe, expect, it } from "vitest";
import { buildFixture } from "../../filters/sdk/testing/build.ts";

let sample: Uint8Array;
let callouts: Uint8Array;

beforeAll(async () => {
  sample = await buildFixture("sample");
  callouts = await buildFixture("callouts");
}, 180_000);

const host = (options: Partial<HostOptions> = {}): Host =>
  createHost({ module: sample, configuration: "{}", logLevel: "warn", ...options });

describe("the stricter mode", () => {
  it("has nothing to say of a filter that stays within its budgets", () => {
    const one = host({ strict: { hostCalls: 3, allocations: 1, allocatedBytes: 512 } });
    for (let i = 0; i < 300; i++) one.run({ headers: { "x-key": "k" } });
    expect(() => one.verify()).not.toThrow();
  });

  it("names the callback beyond its budget and the calls that led there, once", () => {
    const one = host({ strict: { hostCalls: 1, allocations: 0, allocatedBytes: 10 } });
    for (let i = 0; i < 3; i++) one.run({ headers: { "x-key": "k" } });
    expect(() => one.verify()).toThrow(expect.objectContaining({ code: "NOT_CLEAN" }));
    let message = "";
    try {
      one.verify();
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toContain(
      "- proxy_on_request_headers on worker 0: expected at most 1 host calls, it took 3; its calls: " +
        "proxy_get_header_map_pairs → Ok, proxy_replace_header_map_value → Ok, proxy_replace_header_map_value → Ok",
    );
    expect(message).toContain("expected at most 0 values from the host, it took 1");
    expect(message).toMatch(/expected at most 10 bytes from the host, it took \d+/);
    expect(message.split("\n")).toHaveLength(4);
  });

  it("names streams that never ended and callouts that still wait", () => {
    const one = host();
    const stream = one.newStream({ headers: { "x-action": "call" } });
    stream.sendRequestHeaders();
    expect(() => one.verify()).toThrow(
      /expected every stream to have ended, 1 did not\n- HTTP callout 4 to x-key: expected an answer, it still waits/,
    );
    one.httpCalls[0]?.fail();
    stream.end();
    expect(() => one.verify()).not.toThrow();
    const grpc = createHost({ module: callouts });
    grpc.newStream({ headers: { "x-mode": "stream" } }).sendRequestHeaders();
    expect(() => grpc.verify()).toThrow(/gRPC stream 6 to inventory: expected its end or a cancel/);
  });

  it("sees memory that grows with the streams", () => {
    // In the fast profile strings made per request are never collected: the leak that profile warns of.
    const one = host({ strict: { warmUpStreams: 10 } });
    for (let i = 0; i < 20_000; i++) one.run({ headers: { "x-action": "garbage" } });
    expect(() => one.verify()).toThrow(
      /memory of worker 0: expected no growth after the warm-up, it grew from \d+ to \d+ bytes over 20000 streams/,
    );
  });
});
