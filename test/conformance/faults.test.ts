// Many clients that come back at once, reject everything, or stop reading.
import { type ClientHttp2Session, connect as http2Connect } from "node:http2";
import { afterEach, describe, expect, it } from "vitest";
import { resourceTypes } from "../../controlplane/snapshot/type-urls.ts";
import { createSystemClock } from "../../controlplane/telemetry/clock.ts";
import { discoveryMethods } from "../../controlplane/xds/grpc/services.ts";
import { createResourceCache, type ResourceCache } from "../../controlplane/xds/resource-cache.ts";
import { createXdsServer, type XdsLimits, type XdsServer } from "../../controlplane/xds/server.ts";
import { decode, encode } from "../../protos/codec.ts";
import { connectDelta, type DeltaConnection, type DeltaResponse } from "../support/delta-stream.ts";
import { until } from "../support/until.ts";

const silent = { info: () => undefined, warn: () => undefined, error: (fields: object) => console.error(fields) };
const CLUSTERS = resourceTypes.clusters.typeUrl;
const PATH = discoveryMethods.find(({ name }) => name === "DeltaAggregatedResources")!.path;

/** A client that holds what it is sent and says, when it comes back, what it holds. */
class Proxy {
  readonly held = new Map<string, string>();
  received = 0;

  constructor(
    readonly name: string,
    readonly rejects: (response: DeltaResponse) => string | undefined = () => undefined,
  ) {}

  connect(connection: DeltaConnection): void {
    this.received = 0;
    const stream = connection.open({
      readsVersions: true,
      ended: () => undefined,
      received: (response) => {
        const { typeUrl, nonce, names, versions, removed } = response;
        this.received++;
        const reason = this.rejects(response);
        if (reason === undefined) {
          names.forEach((name, index) => void this.held.set(name, versions[index] ?? ""));
          for (const name of removed) this.held.delete(name);
        }
        const errorDetail = reason === undefined ? undefined : { code: 3, message: reason };
        stream.send({ typeUrl, responseNonce: nonce, errorDetail });
      },
    });
    stream.send({ node: { id: this.name }, typeUrl: CLUSTERS, initialResourceVersions: Object.fromEntries(this.held) });
  }
}

let server: XdsServer;
const connections: DeltaConnection[] = [];
const sessions: ClientHttp2Session[] = [];

afterEach(async () => {
  for (const connection of connections.splice(0)) connection.close();
  for (const session of sessions.splice(0)) session.destroy();
  await server.close();
});

async function serve(cache: ResourceCache, port = 0, limits: Partial<XdsLimits> = {}): Promise<void> {
  server = createXdsServer({
    ...cache.source(() => "all"),
    plaintext: { host: "127.0.0.1", port },
    clock: createSystemClock(),
    log: silent,
    limits,
  });
  await server.listen();
}

/** Streams over few connections: what counts here is the server's state, not sockets. */
function connectAll(proxies: readonly Proxy[], perConnection = 20): void {
  proxies.forEach((proxy, index) => {
    if (index % perConnection === 0) connections.push(connectDelta(server.plaintextAddress()!));
    proxy.connect(connections.at(-1)!);
  });
}

const isAllSynced = (count: number) => (): boolean => {
  const all = server.status();
  return all.length === count && all.every(({ synced }) => synced);
};

describe("a restart with a thousand proxies", () => {
  it("sends nothing to those that have everything, and to all what changed meanwhile", async () => {
    const cache = createResourceCache();
    const group = cache.group("all");
    for (let index = 0; index < 50; index++) group.set("clusters", `c-${index}`, { name: `c-${index}` });
    cache.publish();
    await serve(cache, 0, { streamsPerSecond: 1_000, streamBurst: 500 });
    const proxies = Array.from({ length: 1_000 }, (_, index) => new Proxy(`p-${index}`));
    connectAll(proxies);
    await until(isAllSynced(1_000), "all of them");
    expect(proxies.every(({ held, received }) => held.size === 50 && received === 1)).toBe(true);
    const { port } = server.plaintextAddress()!;
    await server.close();
    for (const connection of connections.splice(0)) connection.close();
    await serve(cache, port, { streamsPerSecond: 1_000, streamBurst: 500 });
    connectAll(proxies);
    await until(isAllSynced(1_000), "all of them again");
    expect(proxies.filter(({ received }) => received > 0)).toEqual([]);
    group.set("clusters", "c-7", { name: "c-7", altStatName: "changed" });
    group.delete("clusters", "c-8");
    cache.publish();
    server.notify();
    await until(isAllSynced(1_000), "the change");
    // One update, one removal after it.
    expect(proxies.every(({ held, received }) => held.size === 49 && received === 2)).toBe(true);
    expect(server.reach("clusters", "c-7")).toEqual({ of: 1_000, reached: 1_000, waiting: [], rejected: [] });
  });
});

describe("a storm of rejections", () => {
  it("costs each proxy one message at most for each bad content; the good one stays, the next one comes", async () => {
    const cache = createResourceCache();
    const group = cache.group("all");
    for (let index = 0; index < 10; index++) group.set("clusters", `c-${index}`, { name: `c-${index}` });
    cache.publish();
    await serve(cache);
    const proxies = Array.from(
      { length: 200 },
      (_, index) =>
        new Proxy(`p-${index}`, (response) => {
          const bad = (decode("DeltaDiscoveryResponse", response.message()).resources ?? []).filter(
            ({ resource }) =>
              resource !== undefined && (decode("Cluster", resource.value).altStatName ?? "").startsWith("bad"),
          );
          return bad.length === 0
            ? undefined
            : `Error adding/updating cluster(s) ${bad.map(({ name }) => `${name}: no`).join(", ")}`;
        }),
    );
    connectAll(proxies);
    await until(isAllSynced(200), "all of them");
    const good = new Map(proxies[0]!.held);
    const before = proxies.reduce((sum, { received }) => sum + received, 0);
    for (let round = 0; round < 20; round++) {
      group.set("clusters", "c-3", { name: "c-3", altStatName: `bad ${round}` });
      cache.publish();
      server.notify();
      await until(() => server.status().every(({ types }) => types.cds.state === "ERROR"), "the rejection");
    }
    const messages = proxies.reduce((sum, { received }) => sum + received, 0) - before;
    // Each is told of a bad content once at most, and once of the good one that stays in its place.
    expect(messages).toBeLessThanOrEqual(200 * 20 * 2);
    for (const { held } of proxies) expect(held).toEqual(good);
    await until(() => server.reach("clusters", "c-3").waiting.length === 0, "the last of them to be looked at again");
    expect(server.reach("clusters", "c-3")).toMatchObject({ of: 200, reached: 0, waiting: [] });
    const late = new Proxy("late", proxies[0]!.rejects);
    connectAll([late]);
    await until(() => late.held.size === 10, "the good content at a new proxy");
    expect(late.held).toEqual(good);
    group.set("clusters", "c-3", { name: "c-3", altStatName: "better" });
    cache.publish();
    server.notify();
    await until(isAllSynced(201), "the better content");
  });
});

describe("a hundred clients that do not read", () => {
  it("are dropped; who reads is told of every change meanwhile; memory does not grow with what is unread", async () => {
    const cache = createResourceCache();
    const group = cache.group("all");
    const setBig = (value: string): void => {
      group.set("clusters", "big", { name: "big", altStatName: value.padEnd(1_000_000, "x") });
      cache.publish();
    };
    setBig("0");
    await serve(cache, 0, { stallMs: 6_000, bytesUnderWay: 8 * 1024 * 1024 });
    const { host, port } = server.plaintextAddress()!;
    for (let index = 0; index < 100; index++)
      sessions.push(openWithoutReading(`http://${host}:${port}`, `slow-${index}`));
    await until(() => server.status().length === 100, "the slow ones");
    const quick = new Proxy("quick");
    connectAll([quick]);
    await until(() => server.status().some(({ nodeId, synced }) => nodeId === "quick" && synced), "the quick one");
    const before = process.memoryUsage.rss();
    for (let round = 1; round <= 10; round++) {
      setBig(String(round));
      server.notify();
      await until(
        () => server.status().some(({ nodeId, synced }) => nodeId === "quick" && synced),
        "a change at the quick one",
      );
    }
    // Ten contents of 1 MB for a hundred clients would be a gigabyte.
    expect(process.memoryUsage.rss() - before).toBeLessThan(300 * 1024 * 1024);
    await until(() => server.status().length === 1, "the slow ones' end");
    expect(server.status()).toMatchObject([{ nodeId: "quick", synced: true }]);
  });
});

/** One request, and then the window is never opened again. */
function openWithoutReading(url: string, name: string): ClientHttp2Session {
  const session = http2Connect(url);
  session.on("error", () => undefined);
  const stream = session.request({
    ":method": "POST",
    ":path": PATH,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => undefined);
  const message = encode("DeltaDiscoveryRequest", { node: { id: name }, typeUrl: CLUSTERS });
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  stream.write(frame);
  return session;
}
