import { failed } from "../model/failure.ts";
import { fileOrigin } from "../model/origin.ts";
import type { StoreViolation } from "../store/objects-in-force.ts";
import { request } from "node:http";
import { connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { loadText } from "../store/load.ts";
import { renderPods } from "../local/pod-documents.ts";
import { deploymentYaml, podOf } from "../local/testing-world.ts";
import { planWorkloads } from "../pods/workload-plan.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import type { Authenticate } from "../xds/authenticate.ts";
import { type ProxySync, type ControlPlaneView, type SyncState, syncTypes } from "./contract.ts";
import { buildProxyStatus } from "./proxy-status.ts";
import type { DebugSources } from "./debug/pages.ts";
import { type AdminServer, createAdminServer, isLocalHost } from "./server.ts";
import { buildSyncReport } from "./sync-report.ts";

function connected(changes: Partial<ProxySync> = {}, states: Partial<Record<string, SyncState>> = {}): ProxySync {
  const sync = Object.fromEntries(syncTypes.map((type) => [type, states[type] ?? "SYNCED"])) as ProxySync["sync"];
  return {
    nodeId: "sidecar~127.10.4.7~web-0.default~default.svc.cluster.local",
    pod: "web-0",
    namespace: "default",
    identity: "spiffe://cluster.local/ns/default/sa/web-sa",
    envoyVersion: "1.40.0",
    sync,
    rejections: [],
    ...changes,
  };
}

interface Situation {
  readonly ready?: boolean;
  readonly terminating?: boolean;
  readonly hash?: string;
  readonly proxies?: readonly ProxySync[];
  readonly unpublished?: boolean;
  readonly pods?: boolean;
  readonly untried?: readonly string[];
}

function viewOf({
  ready = true,
  terminating = false,
  hash,
  proxies = [connected()],
  unpublished = false,
  pods = true,
  untried = [],
}: Situation = {}): ControlPlaneView {
  const mesh = deploymentYaml();
  const templateHash =
    hash ?? planWorkloads(loadText(mesh, { file: "/mesh/input.yaml" }).world).workloads[0]?.templateHash ?? "";
  const pod = podOf({ name: "web-0", workload: "web", serviceAccount: "web-sa", templateHash });
  const runtime = renderPods(
    pods ? [{ pod, ready, deletionTimestamp: terminating ? "2026-01-01T00:00:00Z" : undefined, envoyPid: 42 }] : [],
    17,
  );
  const { world } = loadText(`${mesh}---\n${runtime}`, { file: "/mesh/input.yaml" });
  return {
    isReady: () => true,
    world: () => world,
    hasUnpublishedChange: () => unpublished,
    proxies: () => proxies,
    untriedPlugins: () => untried,
    heldBack: () => undefined,
    violations: () => [],
  };
}

const who = (situation: Situation) =>
  buildSyncReport(viewOf(situation), true).waiting.map(({ who: name, why }) => `${name}: ${why}`);

describe("buildSyncReport", () => {
  it("is synced when every workload answers and every proxy acknowledged", () => {
    expect(buildSyncReport(viewOf(), true)).toEqual({
      synced: true,
      waiting: [],
      unenforced: [],
      runtimeRevision: 17,
      acknowledged: true,
    });
  });

  it.each<[string, Situation, string]>([
    ["a workload that does not answer", { ready: false }, "web-0.default: does not answer yet"],
    ["a proxy that is not connected", { proxies: [] }, "web-0.default: its proxy is not connected"],
    [
      "a proxy that has not acknowledged",
      { proxies: [connected({}, { cds: "STALE", eds: "STALE" })] },
      "web-0.default: has not acknowledged cds, eds",
    ],
    ["a proxy that has rejected", { proxies: [connected({}, { lds: "ERROR" })] }, "web-0.default: has rejected lds"],
    [
      "a change that is not published",
      { unpublished: true },
      "control plane: a change is accepted and not yet published",
    ],
    [
      "a plugin that was not tried",
      { untried: ["default/header"] },
      "WasmPlugin default/header: its module is being fetched and tried",
    ],
    [
      "a Deployment without its pods",
      { pods: false, proxies: [] },
      "default/web: 0 of 1 pods of the current template are there",
    ],
    [
      "a Deployment whose template changed",
      { hash: "older" },
      "default/web: 0 of 1 pods of the current template are there, 1 of an older one",
    ],
  ])("names %s", (_, situation, expected) => {
    expect(who(situation)).toContain(expected);
    expect(buildSyncReport(viewOf(situation), true).synced).toBe(false);
  });

  it("does not ask for what a rejecting proxy will never acknowledge before pods may drain", () => {
    expect(buildSyncReport(viewOf({ proxies: [connected({}, { lds: "ERROR" })] }), true).acknowledged).toBe(true);
    expect(buildSyncReport(viewOf({ proxies: [connected({}, { eds: "STALE" })] }), true).acknowledged).toBe(false);
  });

  it("is not synced while something is not enforced that protects", () => {
    const violation = {
      severity: "error",
      origin: fileOrigin("mesh/strict.yaml", 3, 5),
      object: "PeerAuthentication/default/strict",
      field: "spec.mtls.mode",
      message: "must be one of UNSET, DISABLE, PERMISSIVE, STRICT",
      servingLastGood: false,
    } as const;
    const reportOn = (violations: readonly StoreViolation[]) =>
      buildSyncReport({ ...viewOf(), violations: () => violations }, true);
    expect(reportOn([violation])).toMatchObject({ synced: true, unenforced: [] });
    expect(reportOn([{ ...violation, protection: "not enforced" }])).toMatchObject({
      synced: false,
      waiting: [],
      unenforced: [
        {
          object: "PeerAuthentication/default/strict",
          protection: "not enforced",
          why: "mesh/strict.yaml:3:5: spec.mtls.mode: must be one of UNSET, DISABLE, PERMISSIVE, STRICT",
        },
      ],
    });
  });

  it("is not synced before the sources are read", () => {
    expect(buildSyncReport({ ...viewOf(), isReady: () => false }, true).synced).toBe(false);
    expect(buildSyncReport({ ...viewOf(), world: () => undefined }, true).synced).toBe(false);
  });
});

describe("buildProxyStatus", () => {
  it("joins what the runner says with what the stream says", () => {
    expect(buildProxyStatus(viewOf(), true)).toMatchObject([
      {
        name: "web-0",
        kind: "sidecar",
        workload: "web",
        namespace: "default",
        cluster: "local",
        identity: "spiffe://cluster.local/ns/default/sa/web-sa",
        podIp: "127.10.4.7",
        outbound: "127.10.4.7:15001",
        envoyAdmin: "127.10.4.7:15000",
        pid: 42,
        envoyVersion: "1.40.0",
        ports: [{ port: 9080, address: "127.10.4.7:9080" }],
        ready: true,
        terminating: false,
      },
    ]);
  });
  it("shows pods whose proxy is not connected, and proxies nobody here started", () => {
    const foreign = connected({
      pod: "elsewhere",
      nodeId: "router~10.0.0.1~elsewhere.default~default.svc.cluster.local",
    });
    const [other, own] = buildProxyStatus(viewOf({ proxies: [foreign] }), false);
    expect(other).toMatchObject({ name: "elsewhere", kind: "router", podIp: "10.0.0.1", envoyAdmin: "" });
    expect([other?.cluster, own?.cluster]).toEqual(["Kubernetes", "Kubernetes"]);
    expect(own?.sync.cds).toBe("NOT CONNECTED");
  });
});

describe("createAdminServer", () => {
  let server: AdminServer | undefined;
  afterEach(() => server?.stop());

  const debug: DebugSources = {
    world: () => undefined,
    connections: () => [],
    violations: () => [],
    rejections: () => [],
  };
  const authenticate: Authenticate = async (token) => {
    const namespace = { shop: "shop", root: "istio-system" }[token];
    if (namespace === undefined) return failed("unproven", "nobody's");
    return { kind: "proven", identity: { namespace, serviceAccount: "default", pod: "one" } };
  };

  /** Of the cluster's own tokens: who may read nothing, everything, or /synced only. */
  const mayRead = async (token: string, path: string) => {
    const paths = new Map<string, string[]>([
      ["nobody", []],
      ["admin", [path]],
      ["one-page", ["/synced"]],
    ]).get(token);
    if (token === "server-down") return "unknown" as const;
    return paths === undefined ? ("nobody's" as const) : paths.includes(path) ? "allowed" : "denied";
  };

  const asked: string[] = [];
  const changes = {
    tokenFile: "/state/admin-token",
    token: "secret",
    rollout: (plugin: string, verb: string) =>
      plugin === "shop/header" ? void asked.push(verb) : `there is no WasmPlugin ${plugin}`,
  };

  async function ask(
    path: string,
    {
      view = viewOf(),
      host,
      method = "GET",
      token,
      origin,
      site,
    }: { view?: ControlPlaneView; host?: string; method?: string; token?: string; origin?: string; site?: string } = {},
  ): Promise<{ status: number; body: string }> {
    server = createAdminServer({
      view,
      metrics: createMetrics(),
      address: { address: "127.0.0.1", port: 0 },
      runsLocally: true,
      debug,
      authenticate,
      mayRead,
      rollouts: () => [],
      changes,
      concerned: { concerns: () => undefined, find: async () => undefined },
    });
    const { address, port } = await server.start();
    return new Promise((resolve, reject) => {
      const call = request(
        {
          host: address,
          port,
          path,
          method,
          headers: {
            host: host ?? `${address}:${port}`,
            ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
            ...(origin === undefined ? {} : { origin }),
            ...(site === undefined ? {} : { "sec-fetch-site": site }),
          },
        },
        (response) => {
          let body = "";
          response.on("data", (chunk: Buffer) => (body += chunk.toString()));
          response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
        },
      );
      call.on("error", reject);
      call.end();
    });
  }

  it.each([
    ["admin", 200, 200],
    ["one-page", 403, 200],
    ["nobody", 403, 403],
    ["guess", 403, 403],
    ["server-down", 503, 503],
  ])(
    "shows who is not on this machine, with a token of the cluster, what its rules say: %s",
    async (token, all, one) => {
      const host = "istiod.istio-system:15014";
      const answers = [];
      for (const path of ["/debug/syncz", "/synced", "/metrics"]) {
        answers.push((await ask(path, { host, token })).status);
        await server?.stop();
      }
      expect(answers.slice(0, 2)).toEqual([all, one]);
    },
  );

  it("answers 503 with who is missing until all is in sync", async () => {
    const { status, body } = await ask("/synced", { view: viewOf({ ready: false }) });
    expect(status).toBe(503);
    expect(JSON.parse(body)).toMatchObject({ synced: false, waiting: [{ who: "web-0.default" }] });
  });
  it("answers 200 when it is", async () => expect((await ask("/synced")).status).toBe(200));
  it("tells readiness apart from sync", async () =>
    expect((await ask("/ready", { view: { ...viewOf(), isReady: () => false } })).status).toBe(503));
  it("shows the process's metrics", async () =>
    expect((await ask("/metrics")).body).toContain("process_cpu_seconds_total"));
  it("lists its pages for an unknown one", async () =>
    expect(await ask("/nothing")).toMatchObject({ status: 404, body: expect.stringContaining("/debug/violations") }));
  it("refuses a name that is not this machine's", async () =>
    expect((await ask("/debug/proxies", { host: "evil.example:15014" })).status).toBe(403));
  it.each([
    { origin: "http://evil.example" },
    { origin: "null" },
    { site: "cross-site" },
    { host: "evil.example:15014" },
    { host: "127.0.0.1.evil.example" },
    { host: "localhost@evil.example" },
    { host: "0.0.0.0:15014" },
    { host: "evil.example", token: "guess" },
    { origin: "http://evil.example", token: "root" },
  ])("shows nothing to a page of another site, by whatever name it came: %o", async (how) => {
    for (const path of ["/debug/syncz", "/debug/config_dump?proxyID=sidecar", "/synced", "/nothing"]) {
      expect([path, (await ask(path, how)).status]).toEqual([path, 403]);
      await server?.stop();
    }
  });
  it.each([
    {},
    { site: "none" },
    { site: "same-origin" },
    { origin: "http://localhost:15014" },
    { host: "LOCALHOST:15014" },
    { host: "[::1]:15014" },
  ])("shows it to a page of its own and to a person: %o", async (how) =>
    expect((await ask("/debug/syncz", how)).status).toBe(200),
  );
  it.each(["OPTIONS", "PUT", "DELETE", "PATCH", "TRACE"])("answers 405 to %s of a debug page", async (method) =>
    expect((await ask("/debug/syncz", { method })).status).toBe(405),
  );
  it("answers HEAD without a body, and POST as a change that there is not", async () => {
    expect(await ask("/debug/syncz", { method: "HEAD" })).toEqual({ status: 200, body: "" });
    await server?.stop();
    expect((await ask("/debug/syncz", { method: "POST" })).status).toBe(404);
  });
  it.each([
    [404, "/debug/../debug/syncz"],
    [404, "//debug/syncz"],
    [404, "/debug/syncz/"],
    [404, "/debug/%73yncz"],
    [404, "/debug/__proto__"],
    [404, "/debug/toString"],
    [404, "http://evil.example/debug/syncz"],
    [400, "/debug/config_dump"],
    [400, "/debug/config_dump?proxyID="],
    [404, "/debug/config_dump?proxyID=../..&types=cds"],
    [404, "/debug/edsz?proxyID=%ff%00%"],
    [200, "/debug/syncz?namespace=%zz"],
    [431, `/debug/syncz?namespace=${"x".repeat(20_000)}`],
  ])("answers %d to %s", async (status, path) => expect((await ask(path)).status).toBe(status));
  it.each([
    [403, "GET /debug/syncz HTTP/1.0"],
    [400, "GET /debug/syncz HTTP/1.1"],
    [400, "GET /debug/syncz HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example"],
    [400, "GET /metrics HTTP/1.1\r\nHost: evil.example\r\nHost: 127.0.0.1"],
    [400, "GET /debug/syncz HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5"],
    [405, "OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1"],
    [400, "PRI * HTTP/2.0"],
  ])("answers %d to what no browser sends: %j", async (status, head) => {
    server = createAdminServer({
      view: viewOf(),
      metrics: createMetrics(),
      address: { address: "127.0.0.1", port: 0 },
      runsLocally: true,
      debug,
      authenticate,
      rollouts: () => [],
      changes,
      concerned: { concerns: () => undefined, find: async () => undefined },
    });
    const { address, port } = await server.start();
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(port, address, () => socket.write(`${head}\r\nConnection: close\r\n\r\n`));
      socket.once("data", (chunk: Buffer) => resolve(chunk.toString()));
      socket.once("error", reject);
    });
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });
  it.each([
    "/debug/configz",
    "/debug/registryz",
    "/debug/push_status",
    "/debug/proxies",
    "/debug/violations",
    "/synced",
  ])("shows %s of the whole mesh to no workload outside the root namespace", async (path) => {
    expect((await ask(path, { host: "scrim.example:15014", token: "shop" })).status).toBe(403);
    await server?.stop();
    expect((await ask(path, { host: "scrim.example:15014", token: "root" })).status).not.toBe(403);
  });
  it("shows a workload its own namespace's proxies", async () =>
    expect(await ask("/debug/syncz", { host: "scrim.example:15014", token: "shop" })).toMatchObject({
      status: 200,
      body: "[]\n",
    }));
  it("takes a token that proves nothing for none", async () =>
    expect((await ask("/debug/syncz", { host: "scrim.example:15014", token: "guess" })).status).toBe(403));
  it("changes a rollout for whoever has the token", async () => {
    expect((await ask("/rollouts/shop/header/undo", { method: "POST", token: "secret" })).status).toBe(200);
    expect(asked).toEqual(["undo"]);
  });
  it.each([
    [401, "/rollouts/shop/header/undo", {}],
    [401, "/rollouts/shop/header/undo", { token: "secre" }],
    [401, "/rollouts/shop/header/undo", { token: "shop" }],
    [404, "/rollouts/shop/header/delete", { token: "secret" }],
    [404, "/ready", { token: "secret" }],
    [403, "/rollouts/shop/header/undo", { token: "secret", host: "scrim.example" }],
    [403, "/rollouts/shop/header/undo", { token: "secret", origin: "http://evil.example" }],
    [409, "/rollouts/shop/other/undo", { token: "secret" }],
  ])("answers %d to POST %s with %o and changes nothing", async (status, path, how) => {
    const before = asked.length;
    expect((await ask(path, { method: "POST", ...how })).status).toBe(status);
    expect(asked.length).toBe(before);
  });
  it("answers to no other method", async () => expect((await ask("/ready", { method: "PUT" })).status).toBe(405));
});

describe("isLocalHost", () => {
  it.each(["localhost", "localhost:15014", "127.0.0.1:15014", "127.3.2.1", "[::1]:15014", "LOCALHOST"])(
    "lets %s in",
    (host) => expect(isLocalHost(host)).toBe(true),
  );
  it.each([
    undefined,
    "",
    "example.com",
    "127.0.0.1.example.com",
    "localhost.example.com:80",
    "127.0.0.1@evil",
    "10.0.0.1:15014",
  ])("keeps %s out", (host) => expect(isLocalHost(host)).toBe(false));
});
