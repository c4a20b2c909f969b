import { createServer } from "node:http";
import { describe, expect, it } from "vitest";
import { sumActiveRequests } from "./envoy-process.ts";
import { answers, planProbe } from "./readiness.ts";
import { podOf } from "./testing-world.ts";

describe("planProbe", () => {
  it("asks the process's own port for the container port or its name", () => {
    expect(planProbe(podOf(), { httpGet: { path: "/health", port: 9080 }, periodSeconds: 5 })).toEqual({ checks: [{ kind: "http", port: 41233, path: "/health", timeoutMs: 1_000 }], periodMs: 5_000, failureThreshold: 3 });
    expect(planProbe(podOf(), { tcpSocket: { port: "http" } }).checks).toEqual([{ kind: "tcp", port: 41233, timeoutMs: 1_000 }]);
  });
  it("is content with a TCP accept on every port when there is no probe", () => {
    expect(planProbe(podOf(), undefined).checks).toEqual([{ kind: "tcp", port: 41233, timeoutMs: 1_000 }]);
  });
});

describe("answers", () => {
  it("takes statuses from 200 to 399 for an answer, and nothing else", async () => {
    const server = createServer((request, response) => response.writeHead(Number(request.url?.slice(1)), { "content-length": 0 }).end());
    const port = await new Promise<number>((resolve) => server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port)));
    const ask = (path: string) => answers([{ kind: "http", port, path, timeoutMs: 2_000 }, { kind: "tcp", port, timeoutMs: 2_000 }]);
    expect([await ask("/200"), await ask("/302"), await ask("/404"), await ask("/503")]).toEqual([true, true, false, false]);
    await new Promise<void>((resolve) => server.close(() => resolve()));
    expect(await answers([{ kind: "tcp", port, timeoutMs: 1_000 }])).toBe(false);
  });
});

describe("sumActiveRequests", () => {
  it("leaves out the admin page's own request", () => {
    const stats = [{ name: "http.admin.downstream_rq_active", value: 1 }, { name: "http.inbound_9080.downstream_rq_active", value: 2 }, { name: "http.outbound.downstream_rq_active", value: 3 }, { name: "cluster.x.upstream_rq_active", value: 9 }];
    expect(sumActiveRequests(JSON.stringify({ stats }))).toBe(5);
    expect(sumActiveRequests("nonsense")).toBeUndefined();
  });
});
