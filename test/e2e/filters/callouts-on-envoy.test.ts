import { connect as connectHttp2 } from "node:http2";
import { connect, createServer, type Server, type Socket } from "node:net";
import { createHost, type Host, type HttpStream } from "proxy-wasm-host";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildFixture } from "../../../filters/sdk/testing/build.ts";
import { type CalloutsEnvoy, startCalloutsEnvoy } from "./callouts-envoy.ts";
import { startEchoHttp2 } from "../../support/echo-http2.ts";

// What filters are told of gRPC callouts, queues, trailers and connections: on a real Envoy and in the Wasm host, and
// both must say the same.

let modules: { readonly http: Uint8Array; readonly network: Uint8Array };
let envoy: CalloutsEnvoy;
let http2: Awaited<ReturnType<typeof startEchoHttp2>>;
let tcp: Server;
const sockets = new Set<Socket>();

beforeAll(async () => {
  modules = { http: await buildFixture("callouts"), network: await buildFixture("connection") };
  http2 = await startEchoHttp2();
  tcp = createServer((socket) => {
    sockets.add(socket);
    socket
      .on("error", () => {})
      .on("data", (data) => (data.toString().startsWith("bye") ? socket.end() : socket.write(data)));
  });
  await new Promise<void>((resolve) => tcp.listen(0, "127.0.0.1", resolve));
  const address = tcp.address();
  envoy = await startCalloutsEnvoy({
    ...modules,
    http2Port: http2.port,
    tcpPort: typeof address === "object" && address ? address.port : 0,
  });
});

afterAll(async () => {
  await envoy?.stop();
  http2?.stop();
  for (const socket of sockets) socket.destroy();
  tcp?.close();
});

const newHost = (): Host =>
  createHost({ module: modules.http, configuration: "{}", vmId: "http-vm", clusters: ["inventory", "nobody", "tcp"] });

interface Http2Answer {
  readonly body: string;
  readonly trailers: Readonly<Record<string, unknown>>;
}

function send(headers: Record<string, string>, trailers?: Record<string, string>): Promise<Http2Answer> {
  const session = connectHttp2(`http://127.0.0.1:${envoy.httpPort}`);
  return new Promise<Http2Answer>((resolve, reject) => {
    session.on("error", reject);
    const stream = session.request(
      { ":method": "POST", ":path": "/", ...headers },
      { endStream: false, waitForTrailers: trailers !== undefined },
    );
    if (trailers) stream.on("wantTrailers", () => stream.sendTrailers(trailers));
    let body = "";
    let seen: Record<string, unknown> = {};
    stream
      .on("error", reject)
      .on("data", (part: Buffer) => (body += part.toString()))
      .on("trailers", (given: Record<string, unknown>) => (seen = Object.fromEntries(Object.entries(given))));
    stream.on("end", () => resolve({ body, trailers: seen }));
    stream.end("body");
  }).finally(() => session.close());
}

function begin(host: Host, mode: string): HttpStream {
  const stream = host.newStream({ headers: { "x-mode": mode, ":method": "POST" } });
  stream.sendRequestHeaders({ endOfStream: false });
  return stream;
}

const lines = (prefix: string, text: string): string[] =>
  text.split("\n").flatMap((line) => (line.includes(prefix) ? [line.slice(line.indexOf(prefix))] : []));

async function eventually<T>(read: () => T, holds: (value: T) => boolean): Promise<T> {
  for (let i = 0; i < 150 && !holds(read()); i++) await new Promise((resolve) => setTimeout(resolve, 100));
  return read();
}

describe("the host and Envoy tell a filter the same", () => {
  it.each(["Unary", "Missing", "Silent", "Unreachable", "Unknown"])("of a gRPC call: %s", async (mode) => {
    const real = await send({ "x-mode": mode });
    const host = newHost();
    const stream = begin(host, mode);
    const call = host.grpcCalls[0];
    if (mode === "Unary") call?.sendMessage("HELLO");
    if (mode === "Missing") call?.close(5, "no such method");
    if (mode === "Silent") host.advance(200);
    // Envoy's words for a refused connection name the socket error: the test gives them to the host.
    if (mode === "Unreachable") {
      const [, message, details] = /saying=(.*)\{(.*)\}/.exec(real.body) ?? [];
      call?.close(14, message, { ...(details !== undefined && { details }) });
    }
    expect(stream.reply?.body.split("\n")).toEqual(real.body.split("\n"));
  });

  it("of a gRPC stream", async () => {
    const real = await send({ "x-mode": "stream" });
    const host = newHost();
    const stream = begin(host, "stream");
    const [chat] = host.grpcCalls;
    expect([
      chat?.messages.map((message) => Buffer.from(message).toString()),
      chat?.isHalfClosed,
      chat?.metadata.get("x-meta"),
    ]).toEqual([["one", "two"], true, "sent"]);
    chat?.sendMetadata({ "x-first": "a" });
    for (const message of ["ONE", "TWO"]) chat?.sendMessage(message);
    chat?.close(0, "", { trailers: { "x-last": "z" } });
    expect(stream.reply?.body.split("\n")).toEqual(real.body.split("\n"));
  });

  it("of tokens that are over or of another kind, and of foreign functions", async () => {
    const real = await send({ "x-mode": "tokens" });
    expect(begin(newHost(), "tokens").reply?.body.split("\n")).toEqual(real.body.split("\n"));
  });

  it("of queues", async () => {
    const real = await send({ "x-mode": "queue" });
    const host = newHost();
    expect(begin(host, "queue").reply?.body.split("\n")).toEqual(real.body.split("\n"));
    const told = await eventually(
      () => [...lines("dequeued", envoy.log()), ...lines("queue empty", envoy.log())].sort(),
      (all) => all.length >= 4,
    );
    expect(host.logged("warn").sort()).toEqual(told);
  });

  it("of trailers", async () => {
    const real = await send({}, { "x-trailer": "t" });
    const stream = newHost().newStream({ headers: { ":method": "POST" } });
    stream.sendRequestHeaders({ endOfStream: false });
    stream.sendRequestBody("body", { endOfStream: false });
    stream.sendRequestTrailers({ "x-trailer": "t" });
    const seen = stream.requestTrailers?.get("x-seen-request-trailers");
    stream.sendResponseHeaders({ ":status": "200" }, { endOfStream: false });
    stream.sendResponseBody("answer 42", { endOfStream: false });
    stream.sendResponseTrailers({ "x-last": "from upstream", "x-request": seen ?? "" });
    expect(stream.responseTrailers?.toObject()).toEqual(real.trailers);
    expect(real.trailers).toEqual({ "x-request": "1", "x-seen-response-trailers": "from upstream" });
  });

  it.each([
    ["hel|lo\n", "> hello\n"],
    ["swap me\n", "> swapped\n"],
    ["close it\n", ""],
    ["a\n|bye\n", "> a\n"],
  ])("of a connection that sends %j", async (sent, expected) => {
    const before = lines("connection: ", envoy.log()).length;
    const newLines = (): string[] => lines("connection: ", envoy.log()).slice(before);
    const parts = sent.split("|");
    const upstreamEnds = sent.endsWith("bye\n");
    const endsElsewhere = upstreamEnds || expected === "";
    let got = "";
    const socket = connect({ port: envoy.tcpPort, host: "127.0.0.1", noDelay: true });
    const closed = new Promise((resolve) => socket.on("close", resolve).on("error", () => {}));
    socket.on("data", (data) => (got += data.toString()));
    for (const [i, part] of parts.entries()) {
      socket.write(part);
      if (i === parts.length - 1) break;
      if (part.endsWith("\n"))
        await eventually(
          () => got,
          (text) => text.endsWith(part),
        );
      else await eventually(newLines, (all) => all.some((line) => line.endsWith(`down ${part}`)));
    }
    if (expected !== "")
      await eventually(
        () => got,
        (text) => text === expected,
      );
    if (!endsElsewhere) socket.end();
    await closed;
    const told = await eventually(newLines, (all) => all.includes("connection: end"));

    const host = createHost({ module: modules.network, configuration: "{}", vmId: "network-vm" });
    const client = host.connect();
    let echoed = 0;
    for (const part of parts) {
      client.sendDownstream(part);
      const news = client.forwarded.subarray(echoed);
      echoed = client.forwarded.length;
      if (news.length > 0 && part !== "bye\n") client.sendUpstream(news);
    }
    // Who half-closes first is the peers' doing: this client answers upstream's end with its own, and the echo server
    // the client's.
    if (upstreamEnds) client.sendUpstream("", { endOfStream: true });
    if (expected !== "") client.sendDownstream("", { endOfStream: true });
    if (expected !== "" && !upstreamEnds) client.sendUpstream("", { endOfStream: true });
    client.close(upstreamEnds ? "remote" : "local");
    expect(got).toBe(expected);
    expect(Buffer.from(client.returned).toString()).toBe(expected);
    expect(host.logged("warn")).toEqual(told);
  });
});
