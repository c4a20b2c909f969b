import { createHost, type Host } from "proxy-wasm-host";
import { beforeAll, describe, expect, it } from "vitest";
import { buildFixture } from "./testing/build.ts";

let callouts: Uint8Array;
let connection: Uint8Array;

beforeAll(async () => {
  callouts = await buildFixture("callouts");
  connection = await buildFixture("connection");
}, 180_000);

const host = (): Host => createHost({ module: callouts, clusters: ["inventory", "nobody"], vmId: "one" });

describe("gRPC callouts", () => {
  it("are answered to the stream that made them", () => {
    const one = host();
    const stream = one.newStream({ headers: { "x-mode": "Unary" } });
    expect(stream.sendRequestHeaders()).toEqual({ kind: "paused" });
    const call = one.grpcCalls[0];
    expect([
      call?.kind,
      call?.cluster,
      call?.service,
      call?.method,
      call?.metadata.get("x-meta"),
      Buffer.concat(call?.messages ?? []).toString(),
    ]).toEqual(["call", "inventory", "test.Echo", "Unary", "sent", "hello"]);
    call?.sendMessage("HELLO");
    expect(stream.reply?.body).toBe("kind=1\nstatus=0\nbuffer=1\nmessage=HELLO\n");
    call?.sendMessage("twice");
    call?.close(13);
    expect(one.grpcCalls).toEqual([]);
  });

  it("that fail or time out say why", () => {
    const one = host();
    const [failing, silent] = ["Missing", "Silent"].map((mode) => one.newStream({ headers: { "x-mode": mode } }));
    failing?.sendRequestHeaders();
    silent?.sendRequestHeaders();
    one.grpcCalls[0]?.close(5, "no such method");
    expect(failing?.reply?.body).toBe("kind=1\nstatus=0\nclosed=5\nsaying=no such method{via_upstream}\n");
    one.advance(199);
    expect(silent?.outcome.kind).toBe("paused");
    one.advance(1);
    expect(silent?.reply?.body).toContain("closed=14\n");
  });

  it("that come too late for their stream are dropped", () => {
    const one = host();
    const streams = ["Unary", "Silent", "stream"].map((mode) => one.newStream({ headers: { "x-mode": mode } }));
    for (const stream of streams) stream.sendRequestHeaders();
    const [answered, failed, chat] = one.grpcCalls;
    for (const stream of streams) stream.end();
    answered?.sendMessage("too late");
    failed?.close(4);
    chat?.sendMetadata({ "x-first": "a" });
    chat?.sendMessage("too late");
    chat?.close(0, "", { trailers: { "x-last": "z" } });
    expect(one.failure()).toBeUndefined();
    expect(one.logged("warn")).toEqual([]);
  });

  it("of a root are answered to the root", () => {
    const one = host();
    one.run({ headers: { "x-mode": "root" } });
    one.grpcCalls[0]?.sendMessage("for me");
    expect(one.logged("warn")).toEqual(["root got for me"]);
  });
});

describe("connections", () => {
  it("a root of connections makes no HTTP streams, and recycles their objects", () => {
    const one = createHost({ module: connection });
    for (let i = 0; i < 3; i++) {
      const client = one.connect();
      client.sendDownstream("ab");
      expect([client.isHeld, client.forwarded.toString()]).toEqual([true, ""]);
      client.sendDownstream("c\n");
      client.close();
      expect(Buffer.from(client.forwarded).toString()).toBe("abc\n");
    }
    expect(one.logged("warn").filter((line) => line.includes("log"))).toEqual([
      "connection: log 4",
      "connection: log 4",
      "connection: log 4",
    ]);
  });

  it("no status of any host call traps", () => {
    for (let status = 1; status <= 12; status++) {
      const one = createHost({
        module: connection,
        intercept: (call) => (call.callback === "start" || call.callback === "proxy_on_configure" ? undefined : status),
      });
      const client = one.connect();
      client.sendDownstream("swap close\n");
      client.sendUpstream("x", { endOfStream: true });
      client.close();
      expect(one.failure()).toBeUndefined();
      const other = createHost({
        module: callouts,
        vmId: "one",
        intercept: (call) => (call.callback === "start" || call.callback === "proxy_on_configure" ? undefined : status),
      });
      for (const mode of ["Unary", "stream", "queue", "tokens"]) other.run({ headers: { "x-mode": mode } });
      expect(other.failure()).toBeUndefined();
    }
  });
});

describe("a VM that is reloaded", () => {
  it("serves again a second after it was loaded, not before", () => {
    let failing = true;
    const one = createHost({
      module: callouts,
      failurePolicy: "reload",
      intercept: (call) => {
        if (failing && call.name === "proxy_get_header_map_value") throw new Error("injected trap");
        return undefined;
      },
    });
    expect(one.run({ headers: { "x-mode": "queue" } }).reply).toMatchObject({ status: 503, isFailure: true });
    failing = false;
    expect(one.run({ headers: { "x-mode": "queue" } }).reply?.isFailure).toBe(true);
    one.advance(1000);
    expect(one.run({ headers: { "x-mode": "queue" } }).reply?.status).toBe(200);
  });
});
