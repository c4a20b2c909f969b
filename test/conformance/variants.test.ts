// The same resources over every streaming method of xDS, from a cache of our own making, to a client that only speaks
// the protocol.
import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { failed } from "../../controlplane/model/failure.ts";
import { resourceTypes } from "../../controlplane/snapshot/type-urls.ts";
import { createSystemClock } from "../../controlplane/telemetry/clock.ts";
import { discoveryMethods } from "../../controlplane/xds/grpc/services.ts";
import { createResourceCache, type ResourceCache } from "../../controlplane/xds/resource-cache.ts";
import { createXdsServer, type XdsServer } from "../../controlplane/xds/server.ts";
import { decode } from "../../protos/codec.ts";
import { openRawClient, type RawClient } from "../support/raw-client.ts";
import { until } from "../support/until.ts";

const silent = { info: () => undefined, warn: () => undefined, error: (fields: object) => console.error(fields) };
const node = { id: "any", cluster: "test", metadata: { NAMESPACE: "shop", LABELS: { app: "web" } } };
const urlOf = (kind: keyof typeof resourceTypes): string => resourceTypes[kind].typeUrl;
const pathOf = (name: string): string => discoveryMethods.find((method) => method.name === name)!.path;

let cache: ResourceCache;
let server: XdsServer;
const clients: { close(): void }[] = [];

beforeAll(async () => {
  cache = createResourceCache();
  const web = cache.group("web");
  for (const name of ["a", "b"]) {
    web.set("clusters", name, { name, type: "EDS", edsClusterConfig: { edsConfig: { ads: {} } } });
    web.set("endpoints", name, { clusterName: name });
    web.set("listeners", name, { name, statPrefix: name });
    web.set("extensionConfigs", name, { name });
  }
  web.set("routes", "80", {
    name: "80",
    requestHeadersToRemove: ["x"],
    mostSpecificHeaderMutationsWins: true,
    vhds: { configSource: { ads: {} } },
  });
  web.set("virtualHosts", "80/one", {
    name: "one",
    domains: ["one"],
    routes: [{ match: { prefix: "/" }, route: { cluster: "a" } }],
  });
  web.set("virtualHosts", "80/two", { name: "two", domains: ["two"] });
  expect(web.problems()).toEqual([]);
  cache.publish();
  server = createXdsServer({
    ...cache.source(({ node: { metadata } }) => (metadata["LABELS"] as { app?: string } | undefined)?.app),
    plaintext: { host: "127.0.0.1", port: 0 },
    clock: createSystemClock(),
    log: silent,
    controlPlane: "the test",
    debugResources: (_typeUrl, names, asker) =>
      names[0] === "secret"
        ? failed("denied", "no")
        : {
            kind: "answer",
            resources: [{ name: `${names[0]} for ${asker?.pod ?? "anybody"}`, bytes: new Uint8Array() }],
          },
  });
  cache.onPublish(server.notify);
  await server.listen();
});
afterAll(async () => {
  for (const client of clients) client.close();
  await server.close();
});

function open<D extends "delta" | "sotw">(dialect: D, method: string): RawClient<D> {
  const client = openRawClient(dialect, pathOf(method), server.plaintextAddress()!);
  clients.push(client);
  return client;
}

const names = ({ resources }: { resources: readonly { name: string }[] }): string[] =>
  resources.map(({ name }) => name).sort();

describe.each([
  ["Clusters", "clusters", []],
  ["Listeners", "listeners", []],
  ["Endpoints", "endpoints", ["a", "b"]],
  ["ExtensionConfigs", "extensionConfigs", ["a", "b"]],
] as const)("%s", (noun, kind, asked) => {
  it("come over the delta stream of their own, and of all", async () => {
    for (const method of [`Delta${noun}`, "DeltaAggregatedResources"]) {
      const client = open("delta", method);
      client.send({ node, typeUrl: urlOf(kind), resourceNamesSubscribe: [...asked] });
      const response = await client.next();
      expect(response).toMatchObject({ typeUrl: urlOf(kind), removed: [], controlPlane: "the test" });
      expect(names(response)).toEqual(["a", "b"]);
    }
  });

  it("come over the state-of-the-world stream of their own, and of all", async () => {
    for (const method of [`Stream${noun}`, "StreamAggregatedResources"]) {
      const client = open("sotw", method);
      client.send({ node, typeUrl: urlOf(kind), resourceNames: [...asked] });
      const response = await client.next();
      expect(response).toMatchObject({
        typeUrl: urlOf(kind),
        controlPlane: "the test",
        version: expect.stringMatching(/./),
      });
      expect(names(response)).toEqual(["a", "b"]);
    }
  });
});

describe("routes", () => {
  it("have their virtual hosts apart in delta", async () => {
    const routes = open("delta", "DeltaRoutes");
    routes.send({ node, resourceNamesSubscribe: ["80"] });
    expect(decode("RouteConfiguration", (await routes.next()).resources[0]!.value)).toMatchObject({
      name: "80",
      vhds: { configSource: {} },
    });
    const hosts = open("delta", "DeltaVirtualHosts");
    hosts.send({ node });
    expect(names(await hosts.next())).toEqual(["80/one", "80/two"]);
  });

  it.each(["StreamRoutes", "StreamAggregatedResources"])(
    "have them inside over %s, and change with them",
    async (method) => {
      const client = open("sotw", method);
      client.send({ node: { ...node, id: method }, typeUrl: urlOf("routes"), resourceNames: ["80"] });
      const first = await client.next();
      const plain = decode("RouteConfiguration", first.resources[0]!.value);
      expect(plain).toMatchObject({
        name: "80",
        requestHeadersToRemove: ["x"],
        mostSpecificHeaderMutationsWins: true,
        virtualHosts: [{ name: "one", domains: ["one"], routes: [{ route: { cluster: "a" } }] }, { name: "two" }],
      });
      expect(plain.vhds).toBeUndefined();
      client.send({
        typeUrl: urlOf("routes"),
        resourceNames: ["80"],
        responseNonce: first.nonce,
        versionInfo: first.version,
      });
      await until(
        () => server.status().find(({ nodeId }) => nodeId === method)?.synced === true,
        "the acknowledgement",
      );
      const domain = `two.${method}`;
      cache.group("web").set("virtualHosts", "80/two", { name: "two", domains: [domain] });
      cache.publish();
      const second = await client.next();
      expect(decode("RouteConfiguration", second.resources[0]!.value).virtualHosts?.[1]).toMatchObject({
        name: "two",
        domains: [domain],
      });
      expect(second.version).not.toBe(first.version);
    },
  );
});

describe("a node", () => {
  it("that is in no group waits, and is served when it gets one", async () => {
    const client = open("delta", "DeltaClusters");
    client.send({ node: { id: "late", metadata: { LABELS: { app: "late" } } } });
    await until(() => server.status().some(({ nodeId }) => nodeId === "late"), "the node");
    expect(server.status().find(({ nodeId }) => nodeId === "late")).toMatchObject({ synced: false, isProven: false });
    cache.group("late").set("clusters", "own", { name: "own" });
    cache.publish();
    expect(names(await client.next())).toEqual(["own"]);
  });
});

describe("a stream of one type", () => {
  it("refuses another type, and messages that are none", async () => {
    const client = open("sotw", "StreamClusters");
    client.send({ node, typeUrl: urlOf("listeners") });
    expect(await client.ended).toBe(status.INVALID_ARGUMENT);
  });
});

describe("without TLS", () => {
  it.each(["StreamSecrets", "StreamAggregatedResources"])("%s has no secrets", async (method) => {
    const client = open("sotw", method);
    client.send({ node, typeUrl: urlOf("secrets"), resourceNames: ["default", "ROOTCA"] });
    expect((await client.next()).resources).toEqual([]);
  });

  it.each(["DeltaSecrets", "DeltaAggregatedResources"])("%s has no secrets", async (method) => {
    const client = open("delta", method);
    client.send({ node, typeUrl: urlOf("secrets"), resourceNamesSubscribe: ["default", "ROOTCA"] });
    expect(await client.next()).toMatchObject({ resources: [], removed: ["default", "ROOTCA"] });
  });

  it("is for loopback only", () => {
    expect(() =>
      createXdsServer({
        ...cache.source(() => "web"),
        plaintext: { host: "0.0.0.0", port: 0 },
        clock: createSystemClock(),
        log: silent,
      }),
    ).toThrow("loopback");
  });
});

describe("questions", () => {
  it("are answered on a stream that asks nothing else, whatever its node", async () => {
    const client = open("sotw", "StreamAggregatedResources");
    client.send({ node: { id: "istioctl" }, typeUrl: "istio.io/debug", resourceNames: ["syncz"] });
    expect(await client.next()).toMatchObject({ typeUrl: "istio.io/debug", controlPlane: "the test", resources: [{}] });
    client.send({ typeUrl: "istio.io/debug", resourceNames: ["secret"] });
    expect(await client.ended).toBe(status.PERMISSION_DENIED);
    expect(server.status().some(({ nodeId }) => nodeId === "istioctl")).toBe(false);
  });

  it("have the answer's name and bytes in delta", async () => {
    const client = open("delta", "DeltaAggregatedResources");
    client.send({ node: { id: "istioctl" }, typeUrl: "istio.io/debug", resourceNamesSubscribe: ["syncz"] });
    expect((await client.next()).resources).toMatchObject([{ name: "syncz for anybody" }]);
  });
});

describe("who has what", () => {
  it("is told of a proxy with some types on streams of their own and one for the rest, in whatever order", async () => {
    const own = { ...node, id: "mixed" };
    for (const [method, kind] of [
      ["DeltaClusters", "clusters"],
      ["DeltaAggregatedResources", "endpoints"],
      ["DeltaListeners", "listeners"],
    ] as const) {
      const client = open("delta", method);
      client.send({ node: own, typeUrl: urlOf(kind), resourceNamesSubscribe: kind === "endpoints" ? ["a"] : [] });
      const { nonce } = await client.next();
      client.send({ typeUrl: urlOf(kind), responseNonce: nonce });
    }
    const mixed = () => server.status().find(({ nodeId }) => nodeId === "mixed");
    await until(() => mixed()?.synced === true, "a synced proxy");
    expect(mixed()!.types).toMatchObject({
      cds: { state: "SYNCED" },
      eds: { state: "SYNCED" },
      lds: { state: "SYNCED" },
    });
    expect(Object.keys(server.held("mixed")!).sort()).toEqual(["cds", "eds", "lds"]);
  });

  it("is told by proxy and by resource", async () => {
    const client = open("delta", "DeltaAggregatedResources");
    client.send({ node: { ...node, id: "holder" }, typeUrl: urlOf("clusters") });
    const { nonce } = await client.next();
    expect(server.held("holder")?.cds).toMatchObject({ watched: "*", resources: [], underWay: ["a", "b"] });
    expect(server.reach("clusters", "a").waiting).toContain("holder");
    client.send({ typeUrl: urlOf("clusters"), responseNonce: nonce });
    await until(() => server.held("holder")?.cds?.resources.length === 2, "the acknowledgement");
    expect(server.reach("clusters", "a").waiting).not.toContain("holder");
    cache.group("web").set("clusters", "a", { name: "a", altStatName: "bad", type: "STATIC" });
    cache.publish();
    const bad = await client.next();
    client.send({
      typeUrl: urlOf("clusters"),
      responseNonce: bad.nonce,
      errorDetail: { code: 3, message: "a is bad" },
    });
    await until(
      () => server.reach("clusters", "a").rejected.some(({ nodeId }) => nodeId === "holder"),
      "the rejection",
    );
    expect(server.reach("clusters", "a").rejected).toContainEqual({ nodeId: "holder", reason: "a is bad" });
    expect(server.status().find(({ nodeId }) => nodeId === "holder")?.rejections).toMatchObject([
      { type: "cds", resources: ["a"], message: "a is bad" },
    ]);
  });
});
