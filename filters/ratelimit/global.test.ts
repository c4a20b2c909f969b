import { readFileSync } from "node:fs";
import fc from "fast-check";
import { createHost, type Host } from "proxy-wasm-host";
import { describe, expect, it } from "vitest";
import { serviceAnswer } from "./scenarios/service.ts";

const module = readFileSync(new URL("../build/ratelimit.wasm", import.meta.url));
const OK = 1,
  OVER = 2;
type Stream = ReturnType<Host["newStream"]>;

const start = (global: object = {}, more: object = {}, extra: object = {}): Host =>
  createHost({
    module,
    vmId: "scrim.ratelimit",
    configuration: JSON.stringify({
      limits: [
        {
          name: "n/p/l",
          key: [{ header: "x-user", as: "user" }],
          global: { cluster: "rls", domain: "shop", timeoutMs: 50, stalenessMs: 1000, failure: "closed", ...global },
          ...more,
        },
      ],
      ...extra,
    }),
  });

function send(host: Host, headers: Record<string, string | Uint8Array> = {}): Stream {
  const stream = host.newStream({ headers: { ":method": "GET", ":path": "/", ":authority": "a", ...headers } });
  stream.sendRequestHeaders();
  return stream;
}
const outcome = ({ outcome: seen }: Stream): string =>
  seen.kind === "replied" ? String(seen.reply.status) : seen.kind;

/** What the filter asked: the fields of the RateLimitRequest. */
async function requestOf(call: Host["grpcCalls"][number] | undefined): Promise<unknown> {
  const { default: protobuf } = await import("protobufjs");
  const { root } = protobuf.parse(
    `syntax = "proto3";
    message Entry { string key = 1; string value = 2; }
    message Descriptor { repeated Entry entries = 1; }
    message Request { string domain = 1; repeated Descriptor descriptors = 2; uint32 hits_addend = 3; }`,
    { keepCase: true },
  );
  const type = root.lookupType("Request");
  return type.toObject(type.decode(call?.messages[0] ?? new Uint8Array()));
}
const hitsOf = async (host: Host): Promise<number> =>
  ((await requestOf(host.grpcCalls[0])) as { hits_addend: number }).hits_addend;
const answer = (host: Host, code: number, status?: Parameters<typeof serviceAnswer>[1]): void =>
  host.grpcCalls[0]?.sendMessage(serviceAnswer(code, status).grpcMessage);

describe("asking", () => {
  it("says the domain, the descriptor and the hits", async () => {
    const host = start({ descriptor: [{ key: "api", value: "v1" }] }, { cost: 3 });
    send(host, { "x-user": "ann" });
    expect(host.grpcCalls).toMatchObject([
      { cluster: "rls", service: "envoy.service.ratelimit.v3.RateLimitService", method: "ShouldRateLimit" },
    ]);
    expect(await requestOf(host.grpcCalls[0])).toEqual({
      domain: "shop",
      descriptors: [
        {
          entries: [
            { key: "api", value: "v1" },
            { key: "user", value: "ann" },
          ],
        },
      ],
      hits_addend: 3,
    });
  });

  it("without a key says the limit's name, as Envoy's generic_key", async () => {
    const host = start({}, { key: [] });
    send(host);
    expect(await requestOf(host.grpcCalls[0])).toMatchObject({
      descriptors: [{ entries: [{ key: "generic_key", value: "n/p/l" }] }],
    });
  });

  it(
    "sends text that a service can read, whatever a client sends: " +
      "nobody gets around a limit by breaking the question",
    async () => {
      const host = start();
      send(host, { "x-user": Uint8Array.of(0x61, 0xff, 0xc3, 0x62) });
      send(host, { "x-user": "z".repeat(5000) });
      send(host, { "x-user": `${"z".repeat(4999)}y` });
      const values = (await Promise.all(host.grpcCalls.map(requestOf))) as {
        descriptors: { entries: { value: string }[] }[];
      }[];
      const [broken, long, other] = values.map(({ descriptors }) => descriptors[0]?.entries[0]?.value ?? "");
      expect(broken).toBe("a%FF%C3b");
      expect(long).toMatch(/^z{224}#[0-9A-F]{16}$/);
      expect(other).not.toBe(long);
    },
  );
});

describe("while the answer is awaited", () => {
  it("requests wait, one call asks for all of them, and they go on or are refused as far as it reaches", async () => {
    const host = start({ lease: 1 });
    const streams = Array.from({ length: 5 }, () => send(host));
    expect(streams.map(outcome)).toEqual(Array(5).fill("paused"));
    expect(host.grpcCalls).toHaveLength(1);
    answer(host, OK); // for the first; the others ask together now
    expect(streams.map(outcome)).toEqual(["continue", "paused", "paused", "paused", "paused"]);
    expect(await hitsOf(host)).toBe(4);
    answer(host, OVER); // four are too many: one may still fit
    expect(await hitsOf(host)).toBe(1);
    answer(host, OK, { limit: 2, left: 0 });
    expect(await hitsOf(host)).toBe(1);
    answer(host, OVER);
    expect(streams.map(outcome)).toEqual(["continue", "continue", "429", "429", "429"]);
    expect(host.grpcCalls).toHaveLength(0);
    for (const stream of streams) stream.end();
    host.verify();
  });

  it("a stream that goes away is not told, and the others are", () => {
    const host = start();
    const [first, second] = [send(host), send(host)];
    first.end();
    answer(host, OK, { limit: 100, left: 99 });
    expect(host.grpcCalls).toHaveLength(0);
    expect(outcome(second)).toBe("continue");
    second.end();
    host.verify();
  });

  it(
    "an answer after the deadline is none: " +
      "the failure mode decides, and no question is asked for as long as answers count",
    () => {
      const host = start({ failure: "open" });
      const stream = send(host);
      host.advance(49);
      expect(outcome(stream)).toBe("paused");
      host.advance(1);
      expect(outcome(stream)).toBe("continue");
      expect(outcome(send(host))).toBe("continue");
      expect(host.grpcCalls).toHaveLength(0);
      host.advance(1000);
      expect(outcome(send(host))).toBe("paused");
      expect(host.metrics.counter("scrim_ratelimit_global_failures_total")).toBe(1);
    },
  );

  it("two services are asked at once, and both must admit", () => {
    const limit = (name: string): object => ({ name, global: { cluster: name, domain: "d", failure: "closed" } });
    const host = createHost({ module, configuration: JSON.stringify({ limits: [limit("a"), limit("b")] }) });
    const [one, two] = [send(host), send(host, { "x-other": "1" })];
    expect(host.grpcCalls.map(({ cluster }) => cluster)).toEqual(["a", "b"]);
    host.grpcCalls[1]?.sendMessage(serviceAnswer(OK, { limit: 9, left: 8 }).grpcMessage);
    expect([one, two].map(outcome)).toEqual(["paused", "paused"]);
    host.grpcCalls[0]?.sendMessage(serviceAnswer(OVER).grpcMessage);
    host.grpcCalls[0]?.sendMessage(serviceAnswer(OVER).grpcMessage);
    expect([one, two].map(outcome)).toEqual(["429", "429"]);
    expect(outcome(send(host))).toBe("429");
  });

  it("a new configuration does not leave waiting requests alone", () => {
    const host = start();
    const stream = send(host);
    expect(host.reconfigure(JSON.stringify({ limits: [] })).kind).toBe("changed");
    answer(host, OK);
    expect(outcome(stream)).toBe("continue");
  });
});

describe("leases", () => {
  it("grow with what is left at the service, end with it, and run out after the staleness", async () => {
    const host = start({ lease: 20 });
    send(host);
    expect(await hitsOf(host)).toBe(1);
    answer(host, OK, { limit: 1000, left: 999 });
    send(host);
    expect(await hitsOf(host)).toBe(20); // at most the lease
    answer(host, OK, { limit: 1000, left: 79 });
    for (let i = 0; i < 14; i++) expect(outcome(send(host))).toBe("continue");
    expect(host.grpcCalls).toHaveLength(0);
    expect(outcome(send(host))).toBe("continue"); // asked ahead, before the last tokens are gone
    expect(await hitsOf(host)).toBe(9); // an eighth of what is left
    answer(host, OK, { limit: 1000, left: 70 });
    expect(outcome(send(host))).toBe("continue");
    expect(host.grpcCalls).toHaveLength(0);
    host.advance(1001);
    expect(outcome(send(host))).toBe("paused"); // what was not spent is too old
  });

  it("a refusal counts until the service's window ends, and no longer than the staleness", () => {
    for (const [resetSeconds, waitMs] of [
      [5, 1000],
      [0.5, 1000],
    ] as const) {
      const host = start();
      send(host);
      answer(host, OVER, { limit: 1, left: 0, resetSeconds: Math.ceil(resetSeconds) });
      host.advance(waitMs - 1);
      expect(outcome(send(host))).toBe("429");
      host.advance(2);
      expect(outcome(send(host))).toBe("paused");
    }
  });

  it("never admits more than the service gave, in any order of requests, answers and pauses", async () => {
    const event = fc.oneof(
      fc.record({ requests: fc.integer({ min: 1, max: 12 }) }),
      fc.record({ pauseMs: fc.nat({ max: 400 }) }),
      fc.constant({ answer: true }),
      fc.constant({ fail: true }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 200 }),
        fc.integer({ min: 1, max: 50 }),
        fc.array(event, { maxLength: 40 }),
        async (quota, lease, events) => {
          const host = start({ lease, timeoutMs: 3_600_000 });
          host.setLogLevel("warn");
          let left = quota;
          const streams: Stream[] = [];
          for (const each of events) {
            if ("requests" in each) for (let i = 0; i < each.requests; i++) streams.push(send(host));
            else if ("pauseMs" in each) host.advance(each.pauseMs);
            else if (host.grpcCalls.length > 0) {
              if ("fail" in each) host.grpcCalls[0]?.close(14, "");
              else {
                const hits = await hitsOf(host);
                const code = hits <= left ? OK : OVER;
                if (code === OK) left -= hits;
                answer(host, code, { limit: Math.max(quota, 1), left });
              }
            }
          }
          expect(streams.filter((stream) => outcome(stream) === "continue").length).toBeLessThanOrEqual(quota - left);
          expect(host.failure()).toBeUndefined();
          expect(host.grpcCalls.length).toBeLessThanOrEqual(1);
        },
      ),
      { numRuns: 150 },
    );
  });

  it("bytes that are no answer never trap, and are failures", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const host = start();
        const stream = send(host);
        host.grpcCalls[0]?.sendMessage(bytes);
        expect(host.failure()).toBeUndefined();
        expect(["continue", "429", "503", "paused"]).toContain(outcome(stream));
      }),
      { numRuns: 300 },
    );
  });

  it("a thousand keys, asked about again and again, need no more than 1 MiB", () => {
    const host = start({ failure: "open" });
    host.setLogLevel("warn");
    const round = (): void => {
      for (let i = 0; i < 5000; i++) {
        const stream = send(host, { "x-user": `user-${i}` });
        host.grpcCalls[0]?.sendMessage(serviceAnswer(OK).grpcMessage);
        stream.end();
      }
      host.advance(2000);
    };
    round();
    const before = host.memoryBytes();
    for (let i = 0; i < 3; i++) round();
    expect(host.memoryBytes()).toBe(before);
    expect(before).toBeLessThanOrEqual(1 << 20);
  }, 60_000);
});
