// Clients that ask for what they should not, on and on, or lie: each loses its stream or is answered in few words.
import { connect as http2Connect } from "node:http2";
import { status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { resourceTypes } from "../../controlplane/snapshot/type-urls.ts";
import { until } from "../support/until.ts";
import { ADS, CLUSTERS, begin, endAll, namesOf, open, othersDoNotNotice, serve, server } from "./hostile-world.ts";

const ENDPOINTS = resourceTypes.endpoints.typeUrl;
beforeEach(() => serve());
afterEach(endAll);

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
