// Clients that are broken or mean no good: each loses its stream or is answered in few words, and a proxy beside them
// is told of every change meanwhile.
import { connect as tcpConnect } from "node:net";
import { connect as http2Connect } from "node:http2";
import { Client, type ClientDuplexStream, credentials, status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { resourceTypes } from "../../controlplane/snapshot/type-urls.ts";
import { createSystemClock } from "../../controlplane/telemetry/clock.ts";
import { createResourceCache, type ResourceGroup } from "../../controlplane/xds/resource-cache.ts";
import { createXdsServer, type XdsLimits, type XdsServer } from "../../controlplane/xds/server.ts";
import { discoveryMethods } from "../../controlplane/xds/grpc/services.ts";
import { until } from "../support/until.ts";
import { openRawClient, type RawClient } from "../support/raw-client.ts";

const problems: object[] = [];
const silent = { info: () => undefined, warn: () => undefined, error: (fields: object) => void problems.push(fields) };
const { path: ADS } = discoveryMethods.find(({ name }) => name === "DeltaAggregatedResources")!;
const CLUSTERS = resourceTypes.clusters.typeUrl,
  ENDPOINTS = resourceTypes.endpoints.typeUrl,
  HOSTS = resourceTypes.virtualHosts.typeUrl;
let server: XdsServer;
let group: ResourceGroup;
let publish: () => void;
let honest: RawClient<"delta">;
let change = 0;
const clients: RawClient<"delta">[] = [];

async function serve(limits: Partial<XdsLimits> = {}): Promise<void> {
  const cache = createResourceCache();
  group = cache.group("all");
  publish = cache.publish;
  for (let index = 0; index < 100; index++) group.set("clusters", `c-${index}`, { name: `c-${index}` });
  publish();
  server = createXdsServer({
    ...cache.source(() => "all"),
    plaintext: { host: "127.0.0.1", port: 0 },
    clock: createSystemClock(),
    log: silent,
    limits,
    debugResources: () => ({ kind: "answer", resources: [{ name: "all", bytes: new Uint8Array(200_000) }] }),
  });
  cache.onPublish(server.notify);
  await server.listen();
  honest = open();
  honest.send({ node: { id: "honest" }, typeUrl: CLUSTERS });
  await answerAll();
}

beforeEach(() => serve());
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server.close();
  // Whatever a client does is its fault and not an error of ours.
  expect(problems.splice(0)).toEqual([]);
});

function open(): RawClient<"delta"> {
  const client = openRawClient("delta", ADS, server.plaintextAddress()!);
  clients.push(client);
  return client;
}

/** A client that has asked for clusters. */
async function begin(name: string): Promise<RawClient<"delta">> {
  const client = open();
  client.send({ node: { id: name }, typeUrl: CLUSTERS });
  const { nonce } = await client.next();
  client.send({ typeUrl: CLUSTERS, responseNonce: nonce });
  return client;
}

async function answerAll(): Promise<void> {
  const { nonce } = await honest.next();
  honest.send({ typeUrl: CLUSTERS, responseNonce: nonce });
}

/** The proxy beside gets a change now, and all that others left behind is gone. */
async function othersDoNotNotice(): Promise<void> {
  group.set("clusters", "c-0", { name: "c-0", altStatName: String(++change) });
  publish();
  await answerAll();
  await until(() => server.status().some(({ nodeId, synced }) => nodeId === "honest" && synced), "the proxy beside");
}

const namesOf = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => `strange-name-${from + index}`);

describe("a client that asks for too much", () => {
  it("a million names at once loses its stream", async () => {
    const client = open();
    client.send({
      node: { id: "giant" },
      typeUrl: ENDPOINTS,
      resourceNamesSubscribe: Array.from({ length: 1_000_000 }, (_, index) => `n${index}`),
    });
    expect(await client.ended).toBe(status.INVALID_ARGUMENT);
    await othersDoNotNotice();
    expect(server.status()).toHaveLength(1);
  });

  it("a hundred thousand unknown names is told that they are not there, until they are too many", async () => {
    const client = await begin("greedy");
    for (let from = 0; from < 100_000; from += 10_000)
      client.send({ typeUrl: ENDPOINTS, resourceNamesSubscribe: namesOf(10_000, from) });
    expect(await client.ended).toBe(status.INVALID_ARGUMENT);
    await othersDoNotNotice();
    expect(server.status()).toHaveLength(1);
  });

  it("names of a megabyte, a type of one, a node of one, is refused", async () => {
    const long = "x".repeat(1_000_000);
    for (const request of [
      { node: { id: "long" }, typeUrl: ENDPOINTS, resourceNamesSubscribe: [long] },
      { node: { id: "long" }, typeUrl: long },
      { node: { id: "long", metadata: { LABELS: { long } } }, typeUrl: CLUSTERS },
      { node: { id: long }, typeUrl: CLUSTERS },
    ]) {
      const client = open();
      client.send(request);
      expect([status.INVALID_ARGUMENT, status.PERMISSION_DENIED]).toContain(await client.ended);
    }
    await othersDoNotNotice();
  });

  it("more types than there are loses its stream", async () => {
    const client = await begin("typist");
    for (let index = 0; index < 40; index++)
      client.send({ typeUrl: `type.googleapis.com/example.Type${index}`, resourceNamesSubscribe: ["x"] });
    expect(await client.ended).toBe(status.INVALID_ARGUMENT);
    await othersDoNotNotice();
  });

  it("questions without reading the answers loses its stream, and memory does not grow with them", async () => {
    const before = process.memoryUsage.rss();
    const session = http2Connect(`http://127.0.0.1:${server.plaintextAddress()!.port}`);
    session.on("error", () => undefined);
    const stream = session.request({
      ":method": "POST",
      ":path": ADS,
      "content-type": "application/grpc",
      te: "trailers",
    });
    const isOver = new Promise((resolve) =>
      stream
        .on("error", () => undefined)
        .on("close", resolve)
        .on("trailers", resolve)
        .on("end", resolve),
    );
    const question = Buffer.concat([
      Buffer.from([0, 0, 0, 0, 0]),
      Buffer.from([0x12, "istio.io/debug/x".length]),
      Buffer.from("istio.io/debug/x"),
    ]);
    question.writeUInt32BE(question.length - 5, 1);
    for (let count = 0; count < 5_000; count++) stream.write(question);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await othersDoNotNotice();
    expect(process.memoryUsage.rss() - before).toBeLessThan(200 * 1024 * 1024);
    stream.resume();
    await isOver;
    session.destroy();
  });
});

describe("a client that changes its mind on and on", () => {
  it("has its share of the time, and no more", async () => {
    const client = await begin("restless");
    for (let from = 0; from < 40_000; from += 10_000)
      client.send({ typeUrl: ENDPOINTS, resourceNamesSubscribe: namesOf(10_000, from) });
    for (let round = 0; round < 10_000; round++)
      client.send({
        typeUrl: ENDPOINTS,
        ...(round % 2 === 0 ? { resourceNamesSubscribe: ["again"] } : { resourceNamesUnsubscribe: ["again"] }),
      });
    for (let round = 0; round < 10; round++) await othersDoNotNotice();
  });

  it("with lies about what it has is told what is not there, and sent what it has in another version", async () => {
    const client = open();
    client.send({
      node: { id: "liar" },
      typeUrl: CLUSTERS,
      initialResourceVersions: {
        ...Object.fromEntries(namesOf(20_000).map((name) => [name, "1"])),
        "c-1": "a lie",
        constructor: "1",
      },
    });
    const first = await client.next();
    expect(first.resources.map(({ name }) => name)).toContain("c-1");
    expect(first.resources).toHaveLength(100);
    client.send({ typeUrl: CLUSTERS, responseNonce: first.nonce });
    const { removed } = await client.next();
    expect(removed).toHaveLength(20_001);
    await othersDoNotNotice();
  });

  it("with nonces that were never given changes nothing by what it says of them", async () => {
    const client = await begin("guesser");
    for (let round = 0; round < 1_000; round++)
      client.send({ typeUrl: CLUSTERS, responseNonce: `${round + 1_000}`, errorDetail: { code: 3, message: "no" } });
    await othersDoNotNotice();
    await until(() => client.responses.length === 2, "the change at the guesser");
    expect(server.status().flatMap(({ rejections }) => rejections)).toEqual([]);
  });
});

describe("a client that speaks nonsense", () => {
  it.each([
    ["garbage", [0xff, 0xff, 0xff, 0xff]],
    ["a field that never ends", [0x0a, 0xff, 0xff, 0xff, 0x7f]],
    ["a node within a node for ever", nested(20_000)],
  ])("%s loses its stream", async (_name, bytes) => {
    const client = new Client(`127.0.0.1:${server.plaintextAddress()!.port}`, credentials.createInsecure());
    const call: ClientDuplexStream<Buffer, Buffer> = client.makeBidiStreamRequest(
      ADS,
      (request: Buffer) => request,
      (response: Buffer) => response,
    );
    const ended = new Promise<number>((resolve) =>
      call
        .on("error", () => undefined)
        .on("data", () => undefined)
        .on("status", ({ code }) => resolve(code)),
    );
    call.write(Buffer.from(bytes as number[]));
    expect(await ended).toBe(status.INVALID_ARGUMENT);
    client.close();
    await othersDoNotNotice();
  });

  it("that is no HTTP/2 loses its connection", async () => {
    const socket = tcpConnect(server.plaintextAddress()!.port, "127.0.0.1", () =>
      socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1_000)),
    );
    socket.on("error", () => undefined).resume();
    await new Promise((resolve) => socket.on("close", resolve));
    await othersDoNotNotice();
  });

  it("with a reason of megabytes is quoted in its first words", async () => {
    const client = await begin("wordy");
    await othersDoNotNotice();
    const { nonce } = await client.next();
    client.send({
      typeUrl: CLUSTERS,
      responseNonce: nonce,
      errorDetail: { code: 3, message: "no ".repeat(3_000_000) },
    });
    await until(() => server.status().some(({ rejections }) => rejections.length > 0), "the rejection");
    expect(
      server
        .status()
        .flatMap(({ rejections }) => rejections)
        .every(({ message }) => message.length <= 4_096),
    ).toBe(true);
    await othersDoNotNotice();
  });
});

describe("a client that comes and goes", () => {
  it("with half a stream is done", async () => {
    const client = new Client(`127.0.0.1:${server.plaintextAddress()!.port}`, credentials.createInsecure());
    const call = client.makeBidiStreamRequest(
      ADS,
      (request: Buffer) => request,
      (response: Buffer) => response,
    );
    const ended = new Promise<number>((resolve) =>
      call
        .on("error", () => undefined)
        .on("data", () => undefined)
        .on("status", ({ code }) => resolve(code)),
    );
    call.end();
    expect(await ended).toBe(status.OK);
    client.close();
    await othersDoNotNotice();
  });

  it("ten thousand times leaves nothing behind, and holds up nobody who comes after", async () => {
    const { port } = server.plaintextAddress()!;
    for (let round = 0; round < 10; round++) {
      const session = http2Connect(`http://127.0.0.1:${port}`);
      session.on("error", () => undefined);
      await new Promise((resolve) => session.once("connect", resolve));
      for (let count = 0; count < 1_000; count++) {
        const stream = session.request({
          ":method": "POST",
          ":path": ADS,
          "content-type": "application/grpc",
          te: "trailers",
        });
        stream.on("error", () => undefined);
        if (count % 2 === 0) stream.close(8);
      }
      session.destroy();
    }
    await begin("after");
    await until(() => server.status().length === 2, "nobody else");
    await othersDoNotNotice();
  });

  it("to say nothing is shown out, and to have more streams than one may is not let in", async () => {
    await server.close();
    await serve({ stallMs: 500, streamsPerOrigin: 20 });
    const client = new Client(`127.0.0.1:${server.plaintextAddress()!.port}`, credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
    });
    const codes = await Promise.all(
      Array.from(
        { length: 25 },
        () =>
          new Promise<number>((resolve) => {
            const call = client.makeBidiStreamRequest(
              ADS,
              (request: Buffer) => request,
              (response: Buffer) => response,
            );
            call
              .on("error", () => undefined)
              .on("data", () => undefined)
              .on("status", ({ code }) => resolve(code));
          }),
      ),
    );
    expect(
      [status.RESOURCE_EXHAUSTED, status.DEADLINE_EXCEEDED].map((code) => codes.filter((one) => one === code).length),
    ).toEqual([5, 20]);
    client.close();
    await othersDoNotNotice();
  });

  it("to be somebody else in the middle is shown out", async () => {
    const client = await begin("one");
    client.send({ node: { id: "other" }, typeUrl: HOSTS });
    expect(await client.ended).toBe(status.INVALID_ARGUMENT);
    await othersDoNotNotice();
  });
});

/** A DeltaDiscoveryRequest's node, with metadata in which a struct is in a struct and so on. */
function nested(depth: number): number[] {
  const varint = (value: number): number[] =>
    value < 128 ? [value] : [(value & 127) | 128, ...varint(Math.floor(value / 128))];
  // Struct.fields (1) { key (1) "a", value (2) { struct_value (5) … } }, written from the inside out, back to front.
  const reversed: number[] = [];
  const prefix = (bytes: readonly number[]): void => void reversed.push(...[...bytes].reverse());
  for (let level = 0; level < depth; level++) {
    prefix([0x2a, ...varint(reversed.length)]);
    prefix([0x12, ...varint(reversed.length)]);
    prefix([0x0a, 1, 97]);
    prefix([0x0a, ...varint(reversed.length)]);
  }
  prefix([0x1a, ...varint(reversed.length)]);
  prefix([0x0a, ...varint(reversed.length)]);
  return reversed.reverse();
}
