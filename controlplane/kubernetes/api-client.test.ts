// The client against a server of this process that is reached by real TLS.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isFailed } from "../model/failure.ts";
import type { ClusterAccess } from "../settings/cluster-access.ts";
import { createSystemClock } from "../telemetry/clock.ts";
import { openAccess } from "./access.ts";
import type { ApiClient, WatchEvent } from "./api-client.ts";
import { createApiClient } from "./http-api-client.ts";
import { resourcePath } from "./resource-path.ts";
import { applyObject } from "./server-side-apply.ts";
import { describeAnswer, reasonOf } from "./status.ts";
import { startTestApiServer, type TestApiServer } from "./testing-api-server.ts";

const PODS = "/api/v1/namespaces/shop/pods";
const pod = (name: string, fields = {}) => ({
  ...{ apiVersion: "v1", kind: "Pod", metadata: { name, namespace: "shop" } },
  ...fields,
});

let server: TestApiServer;
let folder: string;
const clients: ApiClient[] = [];

beforeEach(async () => {
  server = await startTestApiServer();
  folder = mkdtempSync(join(tmpdir(), "scrim-kubernetes-"));
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server.stop();
  rmSync(folder, { recursive: true });
});

function kubeconfig(user?: object): ClusterAccess {
  const path = join(folder, "config");
  writeFileSync(path, server.kubeconfig(user));
  return { kind: "kubeconfig", paths: [path], context: undefined };
}

function inCluster(token = "good-token"): ClusterAccess {
  writeFileSync(join(folder, "token"), `${token}\n`);
  writeFileSync(join(folder, "ca.crt"), server.ca);
  writeFileSync(join(folder, "namespace"), "mesh");
  return { kind: "in-cluster", host: "127.0.0.1", port: String(server.port), directory: folder };
}

async function connect(settings = inCluster(), options: { readonly idleMs?: number } = {}): Promise<ApiClient> {
  const access = await openAccess(settings);
  if (isFailed(access)) throw new Error(access.message);
  const client = createApiClient({ access, clock: createSystemClock(), ...options });
  clients.push(client);
  return client;
}

const get = (client: ApiClient, path = PODS) => client.request({ method: "GET", path });

describe("access", () => {
  it("is a kubeconfig's: its token, its namespace", async () => {
    const client = await connect(kubeconfig());
    expect([client.namespace, await get(client)]).toMatchObject(["istio-system", { status: 200, body: { items: [] } }]);
  });

  it("is a kubeconfig's certificate", async () => {
    server.allowTokens();
    const encode = (text: string) => Buffer.from(text).toString("base64");
    const user = {
      "client-certificate-data": encode(server.clientCert),
      "client-key-data": encode(server.clientKey),
    };
    expect(await get(await connect(kubeconfig(user)))).toMatchObject({ status: 200 });
  });

  it("is what a kubeconfig's program says, asked again when the server takes that no more", async () => {
    const answer = join(folder, "answer");
    const say = (token: string) =>
      writeFileSync(
        answer,
        JSON.stringify({ apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", status: { token } }),
      );
    say("good-token");
    const exec = { apiVersion: "client.authentication.k8s.io/v1", command: "cat", args: [answer] };
    const client = await connect(kubeconfig({ exec }));
    expect(await get(client)).toMatchObject({ status: 200 });
    server.allowTokens("new-token");
    say("new-token");
    expect(await get(client)).toMatchObject({ status: 200 });
  });

  it("is a kubeconfig's file with a token, as it is now", async () => {
    const tokenFile = join(folder, "user-token");
    writeFileSync(tokenFile, "good-token\n");
    const client = await connect(kubeconfig({ tokenFile }));
    expect(await get(client)).toMatchObject({ status: 200 });
    server.allowTokens("new-token");
    writeFileSync(tokenFile, "new-token\n");
    expect(await get(client)).toMatchObject({ status: 200 });
  });

  it("takes the first file's word before the second's", async () => {
    const second = join(folder, "second");
    writeFileSync(second, server.kubeconfig({ token: "bad" }, "other"));
    const first = kubeconfig() as Extract<ClusterAccess, { kind: "kubeconfig" }>;
    const client = await connect({ ...first, paths: ["/nowhere", ...first.paths, second] });
    expect([client.namespace, await get(client)]).toMatchObject(["istio-system", { status: 200 }]);
  });

  it("is a pod's own, with the token that the kubelet wrote last", async () => {
    const client = await connect(inCluster());
    expect([client.namespace, await get(client)]).toMatchObject(["mesh", { status: 200 }]);
    server.allowTokens("rotated");
    inCluster("rotated");
    expect(await get(client)).toMatchObject({ status: 200 });
  });

  it.each([
    ["a file that is not there", { kind: "kubeconfig", paths: ["/nowhere"], context: undefined }, /no kubeconfig at/],
    ["a pod without an account", { kind: "in-cluster", host: "h", port: "1", directory: "/nowhere" }, /no service acc/],
  ] as const)("says what is wrong with %s", async (_what, settings, message) => {
    expect(await openAccess(settings)).toMatchObject({ kind: "failed", message: expect.stringMatching(message) });
  });

  it("says what is wrong with a context that is not there, and with a text that is no kubeconfig", async () => {
    const settings = { ...kubeconfig(), context: "prod" } as ClusterAccess;
    expect(await openAccess(settings)).toMatchObject({ message: expect.stringMatching(/has no context prod$/) });
    writeFileSync(join(folder, "config"), "{");
    expect(await openAccess(settings)).toMatchObject({ message: expect.stringMatching(/cannot be read/) });
  });
});

describe("a call", () => {
  it("gives what the server says, also when it says no", async () => {
    const client = await connect();
    const create = () => client.request({ method: "POST", path: PODS, body: pod("web") });
    expect(await create()).toMatchObject({ kind: "answer", status: 201, body: { metadata: { name: "web" } } });
    const second = await create();
    expect(second).toMatchObject({ kind: "answer", status: 409 });
    if (second.kind === "answer")
      expect([reasonOf(second), describeAnswer(second)]).toEqual(["AlreadyExists", '409: "shop/web" already exists']);
    expect(await get(client, "/api/v1/doors")).toMatchObject({ kind: "answer", status: 404 });
  });

  it("applies an object: made, or changed in what it says", async () => {
    const client = await connect();
    const path = resourcePath({ group: "", version: "v1", plural: "pods", namespace: "shop", name: "web" });
    expect(await applyObject(client, path, pod("web", { spec: { a: 1, b: 2 } }))).toMatchObject({ status: 201 });
    expect(await applyObject(client, path, pod("web", { spec: { b: 3 } }))).toMatchObject({
      status: 200,
      body: { spec: { a: 1, b: 3 } },
    });
    expect(server.calls.at(-1)).toBe("PATCH /api/v1/namespaces/shop/pods/web?fieldManager=scrim&force=true");
  });

  it("waits as long as a busy server asks for", async () => {
    const client = await connect();
    let busy = 2;
    server.faults.answer = () => (busy-- > 0 ? { status: 429, headers: { "retry-after": "0" } } : undefined);
    expect(await get(client)).toMatchObject({ status: 200 });
    expect(server.calls).toHaveLength(3);
  });

  it("does not wait longer than it has", async () => {
    const client = await connect();
    server.faults.answer = () => ({ status: 429, headers: { "retry-after": "60" } });
    expect(await client.request({ method: "GET", path: PODS, timeoutMs: 5_000 })).toMatchObject({
      status: 429,
      retryAfterMs: 60_000,
    });
  });

  it("is given up when there is no answer in time, or when the caller says so", async () => {
    const client = await connect();
    server.faults.answer = () => "hang";
    expect(await client.request({ method: "GET", path: PODS, timeoutMs: 20 })).toMatchObject({
      kind: "failed",
      code: "unreachable",
      message: expect.stringContaining("no whole answer came in time"),
    });
    const giving = new AbortController();
    const asked = client.request({ method: "GET", path: PODS, signal: giving.signal });
    giving.abort();
    expect(await asked).toMatchObject({ kind: "failed", message: expect.stringContaining("it was given up") });
  });

  it("fails as a value when the server is gone, is cut off or is another one, and works again when it is back", async () => {
    const client = await connect();
    expect(await get(client)).toMatchObject({ status: 200 });
    server.faults.answer = () => "cut";
    expect(await get(client)).toMatchObject({ kind: "failed", code: "unreachable" });
    delete server.faults.answer;
    await server.stop();
    expect(await get(client)).toMatchObject({ kind: "failed", message: expect.stringContaining(server.url) });
    await server.start();
    expect(await get(client)).toMatchObject({ status: 200 });
    const other = await startTestApiServer();
    writeFileSync(join(folder, "ca.crt"), other.ca);
    expect(await get(client)).toMatchObject({ kind: "failed", code: "unreachable" });
    await other.stop();
  });

  it("is not repeated with a token that is not good, more than once", async () => {
    const client = await connect(inCluster("stolen"));
    expect(await get(client)).toMatchObject({ status: 401 });
    expect(server.calls).toHaveLength(2);
  });
});

describe("a watch", () => {
  const from = (version: number) => ({ resourceVersion: String(version), allowWatchBookmarks: "true" });
  const following = (client: ApiClient, version = server.stored.version(), enough = Infinity) => {
    const ending = new AbortController();
    const events: WatchEvent[] = [];
    const seen = new Promise<void>((resolve) => {
      const onEvent = (event: WatchEvent) => {
        events.push(event);
        if (events.length >= enough) resolve();
      };
      void client.watch(PODS, from(version), onEvent, ending.signal).then((end) => ended(end));
    });
    let ended: (end: unknown) => void;
    const end = new Promise<unknown>((resolve) => {
      ended = resolve;
    });
    return { events, seen, end, stop: () => ending.abort() };
  };

  it("hands over what happens, what happened before it came included, until it is stopped", async () => {
    const client = await connect();
    const version = server.stored.version();
    server.put(pod("a", { text: "ä".repeat(70_000) }), pod("b"));
    const watch = following(client, version, 4);
    while (server.watching() === 0) await new Promise((resolve) => setImmediate(resolve));
    server.put(pod("a"));
    server.remove("v1/pods", "shop/b");
    await watch.seen;
    expect(watch.events.map(({ type, object }) => [type, (object as ReturnType<typeof pod>).metadata.name])).toEqual([
      ["ADDED", "a"],
      ["ADDED", "b"],
      ["MODIFIED", "a"],
      ["DELETED", "b"],
    ]);
    expect(watch.events[0]?.object).toMatchObject({ text: "ä".repeat(70_000) });
    watch.stop();
    expect(await watch.end).toEqual({ kind: "closed" });
  });

  it("ends with the server's word: 410 amid events, 403 before any, and in good order", async () => {
    const client = await connect();
    server.put(pod("a"));
    server.stored.compact();
    expect(await following(client, 100).end).toMatchObject({ kind: "answer", status: 410 });
    server.faults.forbidden = new Set(["v1/pods"]);
    expect(await following(client).end).toMatchObject({ kind: "answer", status: 403 });
    delete server.faults.forbidden;
    const watch = following(client);
    while (server.watching() === 0) await new Promise((resolve) => setImmediate(resolve));
    server.endWatches();
    expect(await watch.end).toEqual({ kind: "closed" });
  });

  it("is over when its connection is cut, or nothing is heard of it for too long", async () => {
    const client = await connect(inCluster(), { idleMs: 50 });
    expect(await following(client).end).toMatchObject({ kind: "failed", message: expect.stringContaining("0.05 s") });
    while (server.watching() > 0) await new Promise((resolve) => setImmediate(resolve));
    const watch = following(await connect());
    while (server.watching() === 0) await new Promise((resolve) => setImmediate(resolve));
    server.cut();
    expect(await watch.end).toMatchObject({ kind: "failed", code: "unreachable" });
  });

  it("is not over while bookmarks come", async () => {
    server.faults.bookmarksMs = 20;
    const client = await connect(inCluster(), { idleMs: 2_000 });
    const watch = following(client, undefined, 5);
    await watch.seen;
    watch.stop();
    expect(await watch.end).toEqual({ kind: "closed" });
  });
});

it("has no text of a credential in what it says", async () => {
  const client = await connect(inCluster("very-secret"));
  await server.stop();
  const answer = await get(client);
  expect(JSON.stringify(answer)).not.toContain("very-secret");
  expect(readFileSync(join(folder, "token"), "utf8")).toContain("very-secret");
  await server.start();
});
