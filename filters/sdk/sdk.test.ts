import { createHost, type Host, type HostOptions } from "proxy-wasm-host";
import { beforeAll, describe, expect, it } from "vitest";
import { buildFixture } from "./testing/build.ts";

let sample: Uint8Array;
let convenient: Uint8Array;

beforeAll(async () => {
  sample = await buildFixture("sample");
  convenient = await buildFixture("sample", "convenient");
}, 180_000);

function host(options: Partial<HostOptions> = {}): Host {
  return createHost({ module: sample, configuration: "{}", ...options });
}

describe("views on headers", () => {
  const seen = (value: string | Uint8Array | string[]): string | undefined =>
    host()
      .run({ headers: { "x-key": value } })
      .requestHeaders.get("x-seen");

  it("shows every value, trims, compares and reads numbers in place", () => {
    expect(seen("key")).toBe("key/3/halves/case/-1/99/new");
    expect(seen("  42 ")).toBe("42/5/halves/-1/99/new");
    expect(seen("-17")).toBe("-17/3/halves/-17/99/new");
    expect(seen(["a", "b"])).toBe("a,b/3/halves/-1/99/new");
    expect(seen("")).toBe("/0/halves/-1/99/new");
  });

  it("takes hostile bytes: not UTF-8, NUL, 60 KiB", () => {
    expect(seen(Uint8Array.of(0xff, 0xfe, 0, 0xc3))).toBe("\xff\xfe\0\xc3/4/halves/-1/99/new");
    const long = "x".repeat(60 * 1024);
    expect(seen(long)).toBe(`${long}/61440/halves/-1/99/new`);
    expect(seen("99999999999999999999")).toBe("99999999999999999999/20/halves/-1/99/new");
  });

  it("remembers keys in a bounded map", () => {
    const one = host();
    const keys = ["a", "b", "a", "c", "d", "e", "e"].map((key) =>
      one
        .run({ headers: { "x-key": key } })
        .requestHeaders.get("x-seen")
        ?.split("/")
        .slice(4)
        .join("/"),
    );
    expect(keys).toEqual(["99/new", "99/new", "0", "99/new", "99/new", "99/full", "99/full"]);
  });
});

describe("streams", () => {
  it("recycles their objects and starts each afresh", () => {
    const one = host();
    for (let i = 0; i < 100; i++)
      expect(one.run({ headers: { "x-key": "k" } }).requestHeaders.get("x-count")).toBe("1");
    expect(one.logged("debug")).toEqual(["new object"]);
  });

  it("finds each of many open streams, in any order of their ends", () => {
    const one = host();
    const streams = Array.from({ length: 2000 }, () => one.newStream({ headers: { "x-key": "k" } }));
    for (const stream of streams) stream.sendRequestHeaders();
    streams.forEach((stream, i) => i % 3 === 0 && stream.end());
    streams.forEach((stream, i) => i % 3 !== 0 && stream.sendResponseHeaders());
    for (const stream of streams) stream.end();
    expect(one.failure()).toBeUndefined();
    expect(one.logged("debug")).toHaveLength(2000);
    for (let i = 0; i < 2000; i++) one.run();
    expect(one.logged("debug")).toHaveLength(2000);
  });

  it("a callout's answer finds its stream; one that comes too late is dropped", () => {
    const one = host();
    const [early, late] = [
      one.newStream({ headers: { "x-action": "call" } }),
      one.newStream({ headers: { "x-action": "call" } }),
    ];
    expect(early?.sendRequestHeaders()).toEqual({ kind: "paused" });
    expect(late?.sendRequestHeaders()).toEqual({ kind: "paused" });
    const [first, second] = one.httpCalls;
    late.end();
    second?.respond({ headers: { ":status": "200" }, body: "too late" });
    first?.respond({ headers: { ":status": "200" }, body: "in time" });
    expect(early.outcome).toEqual({ kind: "continue" });
    expect(early.requestHeaders.get("x-seen")).toBe("in time");
    expect(one.failure()).toBeUndefined();
  });

  it("a callout that times out is answered with 504", () => {
    const one = host();
    const stream = one.newStream({ headers: { "x-action": "call" } });
    stream.sendRequestHeaders();
    one.advance(99);
    expect(stream.outcome.kind).toBe("paused");
    one.advance(1);
    expect(stream.requestHeaders.get("x-seen")).toBe("upstream request timeout");
  });

  it("reads and rewrites a body of 5 MiB", () => {
    const one = host();
    const stream = one.newStream({ headers: { ":method": "POST" } });
    stream.sendRequestHeaders({ endOfStream: false });
    for (let i = 0; i < 5; i++) stream.sendRequestBody("a".repeat(1 << 20), { endOfStream: i === 4 });
    expect(one.logged("info")).toEqual([`body ${5 << 20} sum ${(5 << 20) * 97}`]);
    expect(Buffer.from(stream.requestBody).toString()).toBe("aaa");
    stream.end();
    const after = one.memoryBytes();
    for (let i = 0; i < 20; i++) {
      const again = one.newStream({ headers: { ":method": "POST" } });
      again.sendRequestHeaders({ endOfStream: false });
      again.sendRequestBody("a".repeat(5 << 20));
      again.end();
    }
    expect(one.memoryBytes()).toBe(after);
  });

  it("resets the stream that a filter closes", () => {
    expect(host().run({ headers: { "x-action": "close" } }).outcome).toEqual({ kind: "reset" });
  });
});

describe("roots", () => {
  it("open streams keep the configuration they began with", () => {
    const one = host({ configuration: '{"greeting":"old"}' });
    const stream = one.newStream();
    stream.sendRequestHeaders();
    expect(one.reconfigure('{"greeting":"new"}')).toEqual({ kind: "changed" });
    stream.sendResponseHeaders();
    expect(stream.responseHeaders?.get("x-greeting")).toBe("old");
    expect(one.run().responseHeaders?.get("x-greeting")).toBe("new");
    stream.end();
  });

  it("a refused configuration leaves the old one", () => {
    const one = host({ configuration: '{"greeting":"old"}' });
    expect(one.reconfigure('{"greeting":1}')).toEqual({
      kind: "failed",
      code: "configure",
      message: expect.stringContaining("greeting: expected a string"),
    });
    expect(one.run().responseHeaders?.get("x-greeting")).toBe("old");
  });

  it("timers fire at their time, for the root that set them", () => {
    const one = host({ configuration: '{"tickMs":50}', workers: 2 });
    one.advance(499);
    expect(one.metrics.counter("sample_ticks")).toBe(2 * 9);
    one.reconfigure("{}");
    one.advance(500);
    expect(one.metrics.counter("sample_ticks")).toBe(2 * 9);
  });
});

describe("memory", () => {
  it("does not grow by strings made per request in the convenient profile", () => {
    const one = host({ module: convenient, logLevel: "warn" });
    const request = { headers: { "x-key": "some-user", "x-action": "garbage" } };
    for (let i = 0; i < 2000; i++) one.run(request);
    const before = one.memoryBytes();
    for (let i = 0; i < 30_000; i++) one.run(request);
    expect(one.memoryBytes()).toBe(before);
    expect(before).toBeLessThanOrEqual(1 << 20);
  }, 60_000);

  it("does not grow over 1,000 changes of configuration", () => {
    const one = host();
    const configuration = (i: number): string =>
      JSON.stringify({
        greeting: `hello ${i} ${"x".repeat(2000)}`,
        limits: Array.from({ length: 50 }, () => ({ name: "n", per: 5 })),
      });
    for (let i = 0; i < 20; i++) one.reconfigure(configuration(i));
    const before = one.memoryBytes();
    for (let i = 0; i < 1000; i++) expect(one.reconfigure(configuration(i)).kind).toBe("changed");
    expect(one.memoryBytes()).toBe(before);
    expect(one.run().responseHeaders?.get("x-greeting")).toContain("hello 999");
  }, 60_000);
});

describe("failing", () => {
  it("logs callback, context, message, file and line of an abort, and answers 503", () => {
    const one = host();
    const stream = one.run({ headers: { "x-action": "abort" } });
    expect(stream.reply).toMatchObject({ status: 503, details: "wasm_fail_stream", isFailure: true });
    expect(one.logged("critical")[0]).toMatch(
      /^filter aborted in request_headers of context 2: as asked \(.*sample\/filter\.ts:\d+:\d+\)$/,
    );
    expect(one.run().reply?.status).toBe(503);
  });

  it("no status of any host call traps", () => {
    for (let status = 1; status <= 12; status++) {
      const one = host({
        intercept: (call) => (call.callback === "proxy_on_configure" || call.callback === "start" ? undefined : status),
      });
      for (const action of ["call", "close", "none"]) one.run({ headers: { "x-action": action, "x-key": "k" } });
      expect(one.failure()).toBeUndefined();
    }
  });
});
