// Clients that are broken or come and go: each loses its stream, and leaves nothing behind.
import { connect as http2Connect } from "node:http2";
import { connect as tcpConnect } from "node:net";
import { Client, type ClientDuplexStream, credentials, status } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { resourceTypes } from "../../controlplane/snapshot/type-urls.ts";
import { until } from "../support/until.ts";
import { ADS, CLUSTERS, begin, endAll, othersDoNotNotice, serve, server } from "./hostile-world.ts";

const HOSTS = resourceTypes.virtualHosts.typeUrl;
beforeEach(() => serve());
afterEach(endAll);

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
