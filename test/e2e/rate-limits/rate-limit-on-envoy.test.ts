// Limits on a real Envoy with several workers: exact under contention, kept through changes, told to gRPC clients,
// shared through a rate limit service.
import { Agent, get } from "node:http";
import grpc from "@grpc/grpc-js";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { echo } from "../../support/apps/grpc-echo.mjs";
import { startRateLimitService } from "../../support/apps/rate-limit-service.mjs";
import { type RateLimitEnvoy, type RateLimitEnvoyOptions, startRateLimitEnvoy } from "./rate-limit-envoy.ts";

const HOUR = 3_600_000;
const WORKERS = 3;

let envoy: RateLimitEnvoy | undefined;
const agents: Agent[] = [];

async function start(configuration: unknown, more: Partial<RateLimitEnvoyOptions> = {}): Promise<RateLimitEnvoy> {
  return (envoy = await startRateLimitEnvoy({ configuration, concurrency: WORKERS, ...more }));
}

afterEach(async () => {
  for (const agent of agents.splice(0)) agent.destroy();
  await envoy?.stop();
  envoy = undefined;
});

function status(port: number, agent: Agent, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, path: "/", agent, headers }, (response) =>
      response.resume().on("end", () => resolve(response.statusCode ?? 0)),
    ).on("error", reject);
  });
}

/** Sends requests over connections that Envoy spreads over its workers; answers how many of each status came. */
async function send(
  port: number,
  count: number,
  headers: Record<string, string> = {},
  connections = 24,
): Promise<Record<number, number>> {
  const seen: Record<number, number> = {};
  let left = count;
  await Promise.all(
    Array.from({ length: connections }, async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      agents.push(agent);
      while (left-- > 0) {
        const code = await status(port, agent, headers);
        seen[code] = (seen[code] ?? 0) + 1;
      }
    }),
  );
  return seen;
}

describe("over several workers", () => {
  it.each([
    ["one bucket", []],
    ["a bucket for each key", [{ header: "x-user" }]],
  ])("%s admits what it holds, not one more", async (_what, key) => {
    const { port, counter } = bound(await start({ limits: [{ name: "l", key, tokens: 1000, intervalMs: HOUR }] }));
    const seen = await send(port, 3000, { "x-user": "ann" });
    // a worker that hears of no more requests may sit on its share, a 512th of the bucket
    expect(seen[200]).toBeLessThanOrEqual(1000);
    expect(seen[200]).toBeGreaterThanOrEqual(1000 - WORKERS);
    expect(await counter("scrim_ratelimit_contended_total")).toBe(0);
  });

  it("under steady overload admits burst + rate × time, at most 2 percent less", async () => {
    const { port } = bound(await start({ limits: [{ name: "l", tokens: 500, intervalMs: 1000 }] }));
    await status(port, new Agent(), {});
    const before = performance.now();
    const seen = await send(port, 6000);
    const seconds = (performance.now() - before) / 1000;
    expect(seen[200]).toBeLessThanOrEqual(500 + 500 * seconds);
    expect(seen[200]).toBeGreaterThanOrEqual(0.98 * (499 + 500 * seconds) - 5);
  });
});

describe("a change", () => {
  it("of the configuration, and of the module, keeps what was taken: of one bucket and of keyed ones", async () => {
    const limits = (tokens: number, intervalMs = HOUR): unknown => ({
      limits: [
        { name: "one", match: { methods: ["GET"] }, tokens, intervalMs },
        { name: "keyed", key: [{ header: "x-user" }], tokens, intervalMs },
      ],
    });
    const running = await start(limits(30));
    const admitted = async (user: string, count: number): Promise<number> =>
      (await send(running.port, count, { "x-user": user }, 6))[200] ?? 0;
    expect(await admitted("ann", 20)).toBe(20);
    await running.change(limits(50));
    expect(await admitted("ann", 10)).toBe(10);
    await running.change(limits(50, 2 * HOUR), 1); // another module, and half the pace
    expect(await admitted("ann", 5)).toBe(5);
    await running.change(limits(37, HOUR), 2);
    expect(await admitted("ann", 20)).toBeLessThanOrEqual(2); // 35 of 37 were taken
    await running.change({ limits: [{ name: "keyed", key: [{ header: "x-user" }], tokens: 40, intervalMs: HOUR }] }, 2);
    expect(await admitted("ann", 20)).toBeLessThanOrEqual(5);
    expect(await admitted("bob", 50)).toBe(40);
  });
});

describe("gRPC", () => {
  it("a client is told RESOURCE_EXHAUSTED, and what was admitted is served", async () => {
    const server = new grpc.Server();
    server.addService(echo, {
      unary: ({ request }: { request: unknown }, answer: (error: null, message: unknown) => void) =>
        answer(null, request),
      broken: () => undefined,
      chat: () => undefined,
    });
    const grpcPort = await new Promise<number>((resolve, reject) =>
      server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      ),
    );
    const { port } = bound(await start({ limits: [{ name: "l", tokens: 2, intervalMs: HOUR }] }, { grpcPort }));
    const Client = grpc.makeGenericClientConstructor(echo, "Echo");
    const client = new Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
    const call = (): Promise<{ code: number; details: string; answer?: unknown }> =>
      new Promise((resolve) => {
        (
          client["unary"] as (
            message: unknown,
            done: (error: grpc.ServiceError | null, answer?: unknown) => void,
          ) => void
        ).call(client, { text: "hello" }, (error, answer) =>
          resolve(error ? { code: error.code, details: error.details } : { code: 0, details: "", answer }),
        );
      });
    expect([await call(), await call()]).toEqual([
      { code: 0, details: "", answer: { text: "hello" } },
      { code: 0, details: "", answer: { text: "hello" } },
    ]);
    expect(await call()).toEqual({ code: grpc.status.RESOURCE_EXHAUSTED, details: "local_rate_limited" });
    client.close();
    server.forceShutdown();
  });
});

describe("shared through a rate limit service", () => {
  const configuration = (failure: string, more: object = {}): unknown => ({
    headers: "legacy",
    limits: [
      {
        name: "shared",
        key: [{ header: "x-user", as: "user" }],
        global: { cluster: "rls", domain: "shop", timeoutMs: 5000, stalenessMs: 1000, failure },
        ...more,
      },
    ],
  });
  let service: Awaited<ReturnType<typeof startRateLimitService>>;
  beforeAll(async () => void (service = await startRateLimitService({ limit: 300 })));
  afterAll(() => service.stop());

  it("two proxies together admit what the service's limit is, and ask far less often than they are asked", async () => {
    const [one, two] = await Promise.all([
      startRateLimitEnvoy({ configuration: configuration("closed"), concurrency: 2, servicePort: service.port }),
      startRateLimitEnvoy({ configuration: configuration("closed"), concurrency: 2, servicePort: service.port }),
    ]);
    try {
      const seen = await Promise.all([one, two].map(({ port }) => send(port, 400, { "x-user": "ann" }, 12)));
      const admitted = seen.reduce((sum, each) => sum + (each[200] ?? 0), 0);
      expect(admitted).toBeLessThanOrEqual(300);
      // what was taken ahead and not spent is lost, and so is a question for more than is left
      expect(admitted).toBeGreaterThanOrEqual(200);
      expect(seen.map((each) => (each[200] ?? 0) + (each[429] ?? 0))).toEqual([400, 400]);
      expect(service.calls.length).toBeLessThan(200);
      expect(service.calls[0]).toMatchObject({
        domain: "shop",
        descriptors: [{ entries: [{ key: "user", value: "ann" }] }],
      });
      expect((await send(one.port, 1, { "x-user": "bob" }))[200]).toBe(1);
    } finally {
      await Promise.all([one.stop(), two.stop()]);
    }
  });

  it.each([
    ["open", {}, 200],
    ["closed", {}, 503],
    ["local", { tokens: 2, intervalMs: HOUR }, 429],
  ])("while it does not answer, the failure mode %s decides", async (failure, more, last) => {
    const gone = await startRateLimitService({ limit: 9 });
    gone.stop();
    const { port, counter } = bound(await start(configuration(failure, more), { servicePort: gone.port }));
    const seen = await send(port, 10, {}, 1);
    expect(Object.keys(seen).map(Number)).toContain(last);
    expect(seen[last]).toBe(last === 429 ? 8 : 10);
    expect(await counter("scrim_ratelimit_global_failures_total")).toBeGreaterThanOrEqual(1);
  });
});

function bound(running: RateLimitEnvoy): {
  readonly port: number;
  readonly counter: (name: string) => Promise<number>;
} {
  return { port: running.port, counter: (name) => running.counter(name) };
}
