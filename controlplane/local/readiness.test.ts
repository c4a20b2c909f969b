import { createServer } from "node:http";
import { describe, expect, it } from "vitest";
import { sumActiveRequests } from "./envoy-process.ts";
import { answers, createPatientAnswers, planProbe, type Prober } from "./readiness.ts";
import { loopbackProber } from "./sandbox/shared-network.ts";
import { podOf } from "./testing-world.ts";

const loopback: Prober = { ...loopbackProber, exec: async () => false };

describe("planProbe", () => {
  it("asks the process's own port for the container port or its name", () => {
    expect(planProbe(podOf(), { httpGet: { path: "/health", port: 9080 }, periodSeconds: 5 })).toEqual({
      checks: [{ kind: "http", port: 41233, path: "/health", headers: {}, timeoutMs: 1_000 }],
      hopes: [],
      periodMs: 5_000,
      failureThreshold: 3,
    });
    expect(planProbe(podOf(), { tcpSocket: { port: "http" } }).checks).toEqual([
      { kind: "tcp", port: 41233, timeoutMs: 1_000 },
    ]);
  });
  it("is content with a TCP accept when there is no probe, and hopes for one on the ports after the first", () => {
    const [http] = podOf().ports;
    const metrics = {
      name: "",
      port: 15020,
      bind: { address: "127.10.4.7", port: 15020 },
      application: { address: "127.0.0.1", port: 41234 },
    };
    expect(planProbe(podOf({ ports: http === undefined ? [] : [http, metrics] }), undefined)).toMatchObject({
      checks: [{ kind: "tcp", port: 41233, timeoutMs: 1_000 }],
      hopes: [{ kind: "tcp", port: 41234, timeoutMs: 1_000 }],
    });
  });
  it("takes a command, a gRPC port and a request's headers", () => {
    expect(planProbe(podOf(), { exec: { command: ["test", "-f", "ready"] }, timeoutSeconds: 2 }).checks).toEqual([
      { kind: "exec", command: ["test", "-f", "ready"], timeoutMs: 2_000 },
    ]);
    expect(planProbe(podOf(), { grpc: { port: 9080 } }).checks).toEqual([
      { kind: "tcp", port: 41233, timeoutMs: 1_000 },
    ]);
    expect(
      planProbe(podOf(), { httpGet: { port: "http", httpHeaders: [{ name: "x-probe", value: "yes" }] } }).checks,
    ).toMatchObject([{ path: "/", headers: { "x-probe": "yes" } }]);
  });
});

describe("createPatientAnswers", () => {
  it("waits for the other ports for a while, and then no more", async () => {
    let nowMs = 0;
    const open = { first: false, second: false };
    const ready = createPatientAnswers(
      {
        checks: [{ kind: "exec", command: ["first"], timeoutMs: 1 }],
        hopes: [{ kind: "exec", command: ["second"], timeoutMs: 1 }],
      },
      {
        prober: { ...loopback, exec: async ([name]) => open[name as "first" | "second"] },
        nowMs: () => nowMs,
        patienceMs: 3_000,
      },
    );
    nowMs = 10_000;
    expect(await ready()).toBe(false);
    open.first = true;
    expect(await ready()).toBe(false);
    nowMs += 2_999;
    expect(await ready()).toBe(false);
    nowMs += 1;
    expect(await ready()).toBe(true);
    open.first = false;
    expect(await ready()).toBe(false);
  });
});

describe("answers", () => {
  it("takes statuses from 200 to 399 for an answer, and nothing else", async () => {
    const server = createServer((request, response) =>
      response.writeHead(Number(request.url?.slice(1)), { "content-length": 0 }).end(),
    );
    const port = await new Promise<number>((resolve) =>
      server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port)),
    );
    const ask = (path: string) =>
      answers(
        [
          { kind: "http", port, path, headers: {}, timeoutMs: 2_000 },
          { kind: "tcp", port, timeoutMs: 2_000 },
        ],
        loopback,
      );
    expect([await ask("/200"), await ask("/302"), await ask("/404"), await ask("/503")]).toEqual([
      true,
      true,
      false,
      false,
    ]);
    await new Promise<void>((resolve) => server.close(() => resolve()));
    expect(await answers([{ kind: "tcp", port, timeoutMs: 1_000 }], loopback)).toBe(false);
  });
});

describe("sumActiveRequests", () => {
  it("leaves out the admin page's own request", () => {
    const stats = [
      { name: "http.admin.downstream_rq_active", value: 1 },
      { name: "http.inbound_9080.downstream_rq_active", value: 2 },
      { name: "http.outbound.downstream_rq_active", value: 3 },
      { name: "cluster.x.upstream_rq_active", value: 9 },
    ];
    expect(sumActiveRequests(JSON.stringify({ stats }))).toBe(5);
    expect(sumActiveRequests("nonsense")).toBeUndefined();
  });
});
