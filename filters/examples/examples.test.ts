import { readFileSync } from "node:fs";
import { createHost, type Host, type HostOptions, startHost } from "proxy-wasm-host";
import { describe, expect, it } from "vitest";

const module = (name: string): Uint8Array => readFileSync(new URL(`../build/examples/${name}.wasm`, import.meta.url));
const host = (name: string, configuration: unknown = {}, options: Partial<HostOptions> = {}): Host => createHost({ module: module(name), configuration: JSON.stringify(configuration), vmId: name, ...options });

describe("add-header", () => {
  it("sets the header", () => {
    expect(host("add-header", { name: "x-a", value: "b" }).run().responseHeaders?.get("x-a")).toBe("b");
  });
});

describe("json-access-log", () => {
  it("logs valid JSON whatever the headers hold", () => {
    const one = host("json-access-log", { headers: ["user-agent", "x-absent"] });
    one.run({ headers: { ":path": '/a"\\b', "user-agent": Uint8Array.of(0xff, 0, 0x41) } }, { ":status": "404" });
    expect(JSON.parse(one.logged("info")[0] ?? "")).toEqual({ method: "GET", path: '/a"\\b', "user-agent": "\xff\0A", "x-absent": null, status: 404, durationMs: 0 });
  });
  it("names a mistake in its configuration", () => {
    expect(startHost({ module: module("json-access-log"), configuration: '{"headers":["a",7]}' })).toMatchObject({ ok: false, reason: expect.stringContaining("headers[1]: expected a string") });
  });
});

describe("http-authz", () => {
  const configuration = { cluster: "authz", path: "/authorize", header: "x-user" };
  const ask = (answer: (one: Host) => void): ReturnType<Host["run"]> => {
    const one = host("http-authz", configuration);
    const stream = one.newStream({ headers: { "x-user": ["alice", "bob"], ":path": "/orders" } });
    expect(stream.sendRequestHeaders()).toEqual({ kind: "paused" });
    answer(one);
    return stream;
  };
  it("sends every value of the header and the path, and lets a 200 pass", () => {
    const stream = ask((one) => {
      expect(one.httpCalls[0]?.headers.toObject()).toMatchObject({ ":path": "/authorize", "x-user": "alice,bob", "x-original-path": "/orders" });
      one.httpCalls[0]?.respond({ headers: { ":status": "200" } });
    });
    expect(stream.outcome).toEqual({ kind: "continue" });
  });
  it("denies on a refusal, and fails closed on a failure, an error, a timeout", () => {
    expect(ask((one) => one.httpCalls[0]?.respond({ headers: { ":status": "401" } })).reply).toMatchObject({ status: 403, details: "authz_denied" });
    expect(ask((one) => one.httpCalls[0]?.respond({ headers: { ":status": "500" } })).reply?.status).toBe(503);
    expect(ask((one) => one.httpCalls[0]?.fail()).reply?.status).toBe(503);
    expect(ask((one) => one.advance(200)).reply?.status).toBe(503);
  });
  it("fails closed where there is no such cluster", () => {
    expect(host("http-authz", configuration, { clusters: [] }).run().reply?.details).toBe("authz_unavailable");
  });
});

describe("mask-digits", () => {
  it("masks each piece as it passes", () => {
    const stream = host("mask-digits").newStream();
    stream.sendRequestHeaders();
    stream.sendResponseHeaders({ ":status": "200" }, { endOfStream: false });
    stream.sendResponseBody("card 12", { endOfStream: false });
    expect(Buffer.from(stream.responseBody).toString()).toBe("card ##");
    stream.sendResponseBody("34: ok", { endOfStream: false });
    stream.sendResponseBody("");
    expect(Buffer.from(stream.responseBody).toString()).toBe("card ####: ok");
  });
});

describe("grpc-callout", () => {
  const configuration = { cluster: "inventory", service: "test.Echo", method: "Unary", header: "x-answer" };
  it("adds the answer, and replies 503 without one", () => {
    const one = host("grpc-callout", configuration);
    const streams = ["/a", "/b", "/c"].map((path) => one.newStream({ headers: { ":path": path } }));
    for (const stream of streams) stream.sendRequestHeaders();
    const [first, second] = one.grpcCalls;
    second?.close(7, "no");
    first?.sendMessage("yes");
    expect(streams[0]?.requestHeaders.get("x-answer")).toBe("yes");
    expect(streams[0]?.outcome).toEqual({ kind: "continue" });
    expect(streams[1]?.reply).toMatchObject({ status: 503, details: "callout_failed" });
    expect(one.logged("debug")).toEqual(["no{via_upstream}"]);
    one.advance(200);
    expect(streams[2]?.reply?.status).toBe(503);
  });
});

describe("preface-gate", () => {
  it("waits for the preface, lets what begins with it pass, and closes the rest", () => {
    const one = host("preface-gate", { preface: "HELLO " });
    const [good, bad, short] = [one.connect(), one.connect(), one.connect()];
    good.sendDownstream("HEL");
    expect(good.forwarded).toHaveLength(0);
    good.sendDownstream("LO you");
    good.sendDownstream(", more");
    expect(Buffer.from(good.forwarded).toString()).toBe("HELLO you, more");
    bad.sendDownstream("HEX");
    short.sendDownstream("HELL", { endOfStream: true });
    expect([bad.isClosed, short.isClosed, good.isClosed]).toEqual([true, true, false]);
    expect([bad.forwarded.length, short.forwarded.length]).toEqual([0, 0]);
    expect(one.metrics.counter("preface_gate_closed")).toBe(2);
  });
});

describe("request-tally", () => {
  it("counts the requests of all workers in one of them", () => {
    const one = host("request-tally", { periodMs: 500 }, { workers: 3 });
    for (let i = 0; i < 9; i++) one.run({ headers: { ":method": i < 4 ? "POST" : "GET" }, worker: i % 3 });
    one.advance(500);
    expect(one.logged("warn")).toEqual(["tally: 9 requests, 4 of them POST"]);
    one.advance(5000);
    expect(one.logged("warn")).toHaveLength(1);
  });
});
