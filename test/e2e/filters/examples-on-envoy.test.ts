import { readFileSync } from "node:fs";
import http from "node:http";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type CalloutsEnvoy, startCalloutsEnvoy } from "./callouts-envoy.ts";
import { startEchoHttp2 } from "../../support/echo-http2.ts";

// Examples that are more than one request after the other: several workers, TCP connections. The others are scenarios
// (filters/examples/examples.scenarios.ts).

const module = (name: string): Uint8Array =>
  readFileSync(new URL(`../../../filters/build/examples/${name}.wasm`, import.meta.url));
let http2: Awaited<ReturnType<typeof startEchoHttp2>>;
let tcp: Server;
let envoy: CalloutsEnvoy | undefined;
const sockets = new Set<Socket>();

beforeAll(async () => {
  http2 = await startEchoHttp2();
  tcp = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("data", (data) => socket.write(data));
  });
  await new Promise<void>((resolve) => tcp.listen(0, "127.0.0.1", resolve));
});
afterEach(async () => {
  await envoy?.stop();
  envoy = undefined;
});
afterAll(() => {
  http2?.stop();
  for (const socket of sockets) socket.destroy();
  tcp?.close();
});

async function start(name: string, httpConfiguration: unknown, concurrency = 1): Promise<CalloutsEnvoy> {
  const address = tcp.address();
  envoy = await startCalloutsEnvoy({
    http: module(name),
    httpConfiguration,
    network: module("preface-gate"),
    networkConfiguration: { preface: "HELLO " },
    concurrency,
    http2Port: http2.port,
    tcpPort: typeof address === "object" && address ? address.port : 0,
  });
  return envoy;
}

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

function get(port: number, path: string, headers: http.OutgoingHttpHeaders = {}, method = "GET"): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: "127.0.0.1", port, path, headers, method, agent: false }, (response) => {
      let body = "";
      response
        .on("data", (part: Buffer) => (body += part.toString()))
        .on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    request.on("error", reject).end();
  });
}

describe("examples on a real Envoy", () => {
  it("request-tally: one worker of two counts for both", async () => {
    const { httpPort } = await start("request-tally", { periodMs: 1500 }, 2);
    for (let i = 0; i < 20; i++) await get(httpPort, "/", {}, i < 5 ? "POST" : "GET");
    let [requests, posts] = [0, 0];
    for (let i = 0; i < 100 && requests < 20; i++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      const tallies = [...(envoy?.log() ?? "").matchAll(/tally: (\d+) requests, (\d+) of them POST/g)];
      [requests, posts] = [1, 2].map((group) => tallies.reduce((sum, tally) => sum + Number(tally[group]), 0)) as [
        number,
        number,
      ];
    }
    expect([requests, posts]).toEqual([20, 5]);
  });

  it("preface-gate", async () => {
    const { tcpPort } = await start("mask-digits", {});
    const talk = (parts: readonly string[], enough: string): Promise<string> =>
      new Promise((resolve) => {
        let got = "";
        const socket = connect({ port: tcpPort, host: "127.0.0.1", noDelay: true });
        socket
          .on("error", () => {})
          .on("close", () => resolve(got))
          .on("data", (data) => {
            got += data.toString();
            if (got === enough) socket.end();
          });
        parts.forEach((part, i) => setTimeout(() => socket.write(part), i * 100));
      });
    expect(await talk(["HEL", "LO you"], "HELLO you")).toBe("HELLO you");
    expect(await talk(["HEX"], "never")).toBe("");
  });
});
