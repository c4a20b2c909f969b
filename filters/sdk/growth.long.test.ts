import { createHost, type Host } from "proxy-wasm-host";
import { beforeAll, describe, expect, it } from "vitest";
import { buildFixture } from "./testing/build.ts";

// Not one byte of linear memory more after 100,000 of a thing than after the first thousand, in both memory profiles.

const COUNT = 100_000;
const WARM_UP = 1000;
const PROFILES = ["fast", "convenient"] as const;
const modules = new Map<string, Uint8Array>();

beforeAll(async () => {
  for (const profile of PROFILES)
    for (const name of ["steady", "pipe"]) modules.set(`${name} ${profile}`, await buildFixture(name, profile));
}, 120_000);

function answered(host: Host, mode: string, answer: () => void): void {
  const stream = host.newStream({ headers: { "x-mode": mode } });
  stream.sendRequestHeaders();
  answer();
  stream.sendResponseHeaders();
  stream.end();
}

/** What comes in turn. */
const exchanges: Readonly<Record<string, readonly ((host: Host) => void)[]>> = {
  "HTTP requests, with and without a body": [
    (host) => void host.run({ headers: { "x-mode": "none", "x-key": "some-user" } }),
    (host) => {
      const stream = host.newStream({ headers: { ":method": "POST" } });
      stream.sendRequestHeaders({ endOfStream: false });
      stream.sendRequestBody("0123456789".repeat(50));
      stream.sendResponseHeaders();
      stream.end();
    },
  ],
  "requests with callouts: HTTP, gRPC calls and streams, and answers that come too late": [
    (host) => answered(host, "http", () => host.httpCalls[0]?.respond({ headers: { ":status": "200" }, body: "yes" })),
    (host) => answered(host, "grpc", () => host.grpcCalls[0]?.sendMessage("yes")),
    (host) =>
      answered(host, "stream", () => {
        host.grpcCalls[0]?.sendMessage("yes");
        host.grpcCalls[0]?.close();
      }),
    (host) => {
      const stream = host.newStream({ headers: { "x-mode": "http" } });
      stream.sendRequestHeaders();
      stream.end();
      host.httpCalls[0]?.fail();
    },
  ],
};

function connection(host: Host): void {
  const client = host.connect();
  client.sendDownstream("half ");
  client.sendDownstream("a line\n");
  client.sendUpstream("answer");
  client.close();
}

describe.each(PROFILES)("memory in the %s profile", (profile) => {
  const grow = (name: string, one: (host: Host) => void): void => {
    const host = createHost({ module: modules.get(`${name} ${profile}`) as Uint8Array, logLevel: "warn" });
    for (let i = 0; i < WARM_UP; i++) one(host);
    const before = host.memoryBytes();
    for (let i = 0; i < COUNT; i++) one(host);
    expect(host.failure()).toBeUndefined();
    expect(host.memoryBytes() - before).toBe(0);
    expect(before).toBeLessThanOrEqual(1 << 20);
  };
  const inTurn = (kinds: readonly ((host: Host) => void)[]) => {
    let count = 0;
    return (host: Host): void => kinds[count++ % kinds.length]?.(host);
  };
  it.each(Object.entries(exchanges))("does not grow by %s", (_name, kinds) => grow("steady", inTurn(kinds)), 120_000);
  it("does not grow by TCP connections", () => grow("pipe", connection), 120_000);
});
