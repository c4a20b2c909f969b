import { readFileSync } from "node:fs";
import { createHost, createHostRunner, type Host, type HostOptions, scenarioProblems } from "proxy-wasm-host";
import { describe, expect, it } from "vitest";
import { modulePath } from "../module-path.ts";
import { scenarios } from "./examples.scenarios.ts";

// What cannot be data for Envoy as well: virtual time, several workers, TCP connections, bytes that Envoy's codec never
// lets through.

const module = (name: string): Uint8Array => readFileSync(modulePath(`examples/${name}`));
const host = (name: string, configuration: unknown = {}, options: Partial<HostOptions> = {}): Host =>
  createHost({ module: module(name), configuration: JSON.stringify(configuration), vmId: name, ...options });

describe("scenarios in the host", () => {
  const runner = createHostRunner(modulePath);
  it.each(scenarios.map((scenario) => [scenario.name, scenario] as const))("%s", async (_name, scenario) => {
    expect(scenarioProblems(scenario, await runner.run(scenario))).toEqual([]);
  });
});

describe("json-access-log", () => {
  it("logs valid JSON whatever the headers hold", () => {
    const one = host("json-access-log", { headers: ["user-agent", "x-absent"] });
    one.run({ headers: { ":path": '/a"\\b', "user-agent": Uint8Array.of(0xff, 0, 0x41) } }, { ":status": "404" });
    expect(JSON.parse(one.logged("info")[0] ?? "")).toEqual({
      method: "GET",
      path: '/a"\\b',
      "user-agent": "\xff\0A",
      "x-absent": null,
      status: 404,
      durationMs: 0,
    });
  });
});

describe("http-authz", () => {
  it("fails closed on a failed call and on a timeout", () => {
    const answers: readonly ((one: Host) => void)[] = [(one) => one.httpCalls[0]?.fail(), (one) => one.advance(200)];
    for (const answer of answers) {
      const one = host("http-authz", { cluster: "authz", path: "/authorize", header: "x-user" });
      const stream = one.newStream();
      expect(stream.sendRequestHeaders()).toEqual({ kind: "paused" });
      answer(one);
      expect(stream.reply?.status).toBe(503);
    }
  });
});

describe("a cluster of a mesh", () => {
  it.each([
    [
      "checker.default.svc.cluster.local:80",
      "outbound|80||checker.default.svc.cluster.local",
      "checker.default.svc.cluster.local",
    ],
    [
      "outbound|80||checker.default.svc.cluster.local",
      "outbound|80||checker.default.svc.cluster.local",
      "checker.default.svc.cluster.local",
    ],
    ["outbound|80|v2|checker:80", "outbound|80|v2|checker:80", "checker:80"],
    ["authz", "authz", "authz"],
    ["authz:", "authz:", "authz:"],
    ["authz:http", "authz:http", "authz:http"],
    [":80", ":80", ":80"],
  ])("%s is %s, called by its host %s", (name, cluster, authority) => {
    const one = host("http-authz", { cluster: name, path: "/authorize", header: "x-user" });
    one.newStream().sendRequestHeaders();
    expect(one.httpCalls[0]).toMatchObject({ cluster });
    expect(one.httpCalls[0]?.headers.get(":authority")).toBe(authority);
  });
});

describe("grpc-callout", () => {
  it("takes no answer for a header that none can hold", () => {
    const configuration = { cluster: "inventory", service: "test.Echo", method: "Unary", header: "x-answer" };
    for (const answer of ["a\r\nx-role: admin", "a\0", "\u00e9"]) {
      const one = host("grpc-callout", configuration);
      const stream = one.newStream();
      stream.sendRequestHeaders();
      one.grpcCalls[0]?.sendMessage(answer);
      expect(stream.reply).toMatchObject({ status: 503, details: "callout_unreadable" });
      expect(stream.requestHeaders.get("x-answer")).toBeUndefined();
    }
  });

  it("replies 503 when the answer does not come in time, and answers each stream its own", () => {
    const one = host("grpc-callout", {
      cluster: "inventory",
      service: "test.Echo",
      method: "Unary",
      header: "x-answer",
    });
    const streams = ["/a", "/b", "/c"].map((path) => one.newStream({ headers: { ":path": path } }));
    for (const stream of streams) stream.sendRequestHeaders();
    const [first, second] = one.grpcCalls;
    second?.close(7, "no");
    first?.sendMessage("yes");
    expect(streams[0]?.requestHeaders.get("x-answer")).toBe("yes");
    expect(streams[1]?.reply).toMatchObject({ status: 503, details: "callout_failed" });
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
