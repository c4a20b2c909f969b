// The source, and the store behind it, against a server of this process.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createApiClient } from "../../kubernetes/http-api-client.ts";
import {
  accessTo,
  CORE_RESOURCES,
  startTestApiServer,
  type TestApiServer,
} from "../../kubernetes/testing-api-server.ts";
import { createFastClock } from "../../kubernetes/testing-clock.ts";
import { createStore } from "../../store/store.ts";
import type { SourceBatch } from "../../model/document.ts";
import { formatViolation } from "../../validate/violation.ts";
import { createKubernetesSource } from "./kubernetes-source.ts";
import { watchedKinds } from "./watched-kinds.ts";

const MESH_RESOURCES = watchedKinds
  .filter(({ group }) => group.endsWith("istio.io"))
  .map(({ kind, group, plural, versions: [version] }) => ({ kind, group, plural, version, namespaced: true }));

const service = (name: string, namespace = "shop") => ({
  ...{ apiVersion: "v1", kind: "Service", metadata: { name, namespace } },
  spec: { selector: { app: name }, ports: [{ name: "http", port: 80 }] },
});
const virtualService = (name: string, weight: number) => ({
  ...{ apiVersion: "networking.istio.io/v1", kind: "VirtualService", metadata: { name, namespace: "shop" } },
  spec: { hosts: [name], http: [{ route: [{ destination: { host: name }, weight }] }] },
});
const gateway = (credentialName: string) => ({
  ...{ apiVersion: "networking.istio.io/v1", kind: "Gateway", metadata: { name: "edge", namespace: "shop" } },
  spec: {
    selector: { istio: "ingress" },
    servers: [
      {
        port: { number: 443, name: "https", protocol: "HTTPS" },
        hosts: ["*"],
        tls: { mode: "SIMPLE", credentialName },
      },
    ],
  },
});
const secret = (name: string) => ({
  ...{ apiVersion: "v1", kind: "Secret", metadata: { name, namespace: "shop" }, data: { token: "c2VjcmV0" } },
});

let server: TestApiServer;
let stops: (() => Promise<void>)[] = [];

beforeEach(async () => {
  server = await startTestApiServer([...CORE_RESOURCES, ...MESH_RESOURCES]);
});
afterEach(async () => {
  for (const stop of stops) await stop();
  stops = [];
  await server.stop();
});

function setUp() {
  const clock = createFastClock(50);
  const client = createApiClient({
    access: accessTo(server),
    clock,
  });
  const complaints: string[] = [];
  const batches: SourceBatch[] = [];
  const source = createKubernetesSource({
    ...{ client, clock, random: Math.random, namespace: "istio-system", revision: "default" },
    complain: (line) => complaints.push(line),
  });
  const store = createStore({ strict: false });
  stops.push(async () => {
    await source.stop();
    client.close();
  });
  const start = () =>
    source.start((batch) => {
      batches.push(batch);
      store.apply(batch);
    });
  const violations = () => store.violations().map(formatViolation);
  return { start, store, batches, complaints, violations, world: () => store.world() };
}

const until = (isSo: () => boolean) => expect.poll(isSo, { interval: 5, timeout: 20_000 }).toBe(true);

describe("a cluster's mesh", () => {
  it("is told whole first, then as it changes, and status is nobody's change", async () => {
    server.put(service("a"), service("b"), virtualService("a", 90));
    const { start, batches, world } = setUp();
    await start();
    expect(batches).toHaveLength(1);
    expect(
      world()
        .list("Service")
        .map(({ metadata }) => metadata.name),
    ).toEqual(["a", "b"]);
    const [before] = world().list("VirtualService");
    expect(before?.origin).toMatchObject({ kind: "kubernetes", object: "VirtualService/shop/a" });
    server.put({ ...virtualService("a", 90), status: { conditions: [{ type: "Accepted" }] } } as never);
    server.put(virtualService("b", 80));
    server.remove("v1/services", "shop/b");
    await until(() => world().list("VirtualService").length === 2 && world().list("Service").length === 1);
    expect(world().get("VirtualService", "shop", "a")).toBe(before);
  });

  it("serves nothing before every kind was heard of", async () => {
    server.put(service("a"));
    server.faults.answer = (call) => (call.includes("authorizationpolicies") ? { status: 500 } : undefined);
    const { start, batches, complaints } = setUp();
    const started = start();
    await until(() =>
      complaints.some((line) => line.endsWith(": authorizationpolicies.security.istio.io (status 500)")),
    );
    expect(batches).toEqual([]);
    delete server.faults.answer;
    await started;
    expect(batches).toHaveLength(1);
  });

  it("goes on without kinds that may not be read, and says so; without those that keep somebody out it waits", async () => {
    server.put(service("a"));
    server.faults.forbidden = new Set(["networking.istio.io/v1/sidecars", "security.istio.io/v1/peerauthentications"]);
    const { start, batches, complaints, violations } = setUp();
    const started = start();
    await until(() => complaints.some((line) => line.includes(": peerauthentications.security.istio.io (403: ")));
    expect(batches).toEqual([]);
    server.faults.forbidden = new Set(["networking.istio.io/v1/sidecars"]);
    await started;
    expect(violations()).toEqual([
      expect.stringMatching(
        /^sidecars\.networking\.istio\.io: error: cannot be read \(403: .*\): what was last heard of/,
      ),
    ]);
    delete server.faults.forbidden;
    await until(() => violations().length === 0);
  });

  it("stays as it is while the API server is gone, which is said when it lasts", async () => {
    server.put(service("a"));
    const { start, world, violations } = setUp();
    await start();
    const before = world();
    await server.stop();
    await until(() => violations().length > 0);
    expect(violations()).toEqual([
      expect.stringMatching(
        /^API server: error: cannot be read \(.*\): what was last heard of \d+ kinds stays in force/,
      ),
    ]);
    expect(world()).toBe(before);
    server.put(service("b"));
    await server.start();
    await until(() => world().list("Service").length === 2 && violations().length === 0);
  });

  it("takes up kinds that are served later", async () => {
    for (const resource of MESH_RESOURCES) server.stored.drop(resource);
    const { start, world } = setUp();
    await start();
    for (const resource of MESH_RESOURCES) server.stored.add(resource);
    server.put(virtualService("a", 90));
    await until(() => world().list("VirtualService").length === 1);
  });

  it("reads the Secrets that are named, when they are, and no others", async () => {
    server.put(secret("one"), secret("two"), secret("three"), gateway("one"));
    const { start, world } = setUp();
    await start();
    const names = () =>
      world()
        .list("Secret")
        .map(({ metadata }) => metadata.name);
    expect(names()).toEqual(["one"]);
    server.put(gateway("two"));
    await until(() => JSON.stringify(names()) === '["two"]');
    server.put({ ...secret("two"), data: { token: "bmV3" } });
    await until(() => world().get("Secret", "shop", "two")?.spec.data?.["token"] === "bmV3");
    server.remove("networking.istio.io/v1/gateways", "shop/edge");
    await until(() => names().length === 0);
    expect(
      server.calls.filter((call) => call.includes("/secrets")).every((call) => call.includes("/namespaces/shop/")),
    ).toBe(true);
  });
});
