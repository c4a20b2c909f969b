// Whose fault a rejection is: the content's, which then reaches nobody else, or one proxy's own, which then holds
// nobody up.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { resourceTypes } from "../../controlplane/snapshot/type-urls.ts";
import { createSystemClock } from "../../controlplane/telemetry/clock.ts";
import { discoveryMethods } from "../../controlplane/xds/grpc/services.ts";
import { createScratchEnvoy } from "../../controlplane/xds/rejections/scratch-envoy.ts";
import { createResourceCache, type ResourceGroup } from "../../controlplane/xds/resource-cache.ts";
import { createXdsServer, type XdsServer } from "../../controlplane/xds/server.ts";
import { packAny } from "../../protos/codec.ts";
import { plaintextBootstrap } from "../support/ads-bootstrap.ts";
import { type Envoy, findEnvoy, startEnvoy } from "../support/envoy.ts";
import { openRawClient, type RawClient } from "../support/raw-client.ts";
import { until } from "../support/until.ts";

const silent = { info: () => undefined, warn: () => undefined, error: (fields: object) => console.error(fields) };
const LISTENERS = resourceTypes.listeners.typeUrl,
  PLUGINS = resourceTypes.extensionConfigs.typeUrl;
const source = { ads: {}, initialFetchTimeout: { seconds: 0 }, resourceApiVersion: "V3" } as const;
const MUTATION = "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation";

let server: XdsServer;
let group: ResourceGroup;
let publish: () => void;
const clients: RawClient<"delta">[] = [];
const envoys: Envoy[] = [];

beforeEach(async () => {
  const cache = createResourceCache();
  group = cache.group("all");
  publish = cache.publish;
  // Only words, and no time that passes, let anything go on.
  server = createXdsServer({
    ...cache.source(() => "all"),
    ...createScratchEnvoy({ findBinary: async () => (await findEnvoy()).path }),
    plaintext: { host: "127.0.0.1", port: 0 },
    clock: createSystemClock(),
    log: silent,
    limits: { canaryMs: 25_000, judgementMs: 25_000 },
  });
  cache.onPublish(server.notify);
  await server.listen();
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const envoy of envoys.splice(0)) await envoy.stop();
  await server.close();
});

/** A client that asks for one type and answers by hand. */
async function connect(name: string, typeUrl: string, names: readonly string[] = []): Promise<RawClient<"delta">> {
  const client = openRawClient("delta", discoveryMethods[0]!.path, server.plaintextAddress()!);
  clients.push(client);
  client.send({ node: { id: name }, typeUrl, resourceNamesSubscribe: names });
  return client;
}

async function answer(client: RawClient<"delta">, error?: string): Promise<readonly string[]> {
  const { typeUrl, nonce, resources } = await client.next();
  client.send({
    typeUrl,
    responseNonce: nonce,
    ...(error !== undefined && { errorDetail: { code: 3, message: error } }),
  });
  return resources.map(({ version }) => version);
}

async function startProxy(name: string): Promise<Envoy> {
  const envoy = await startEnvoy(
    plaintextBootstrap({ port: server.plaintextAddress()!.port, node: { id: name, cluster: "test" } }),
  );
  envoys.push(envoy);
  return envoy;
}

function setListener(name: string, port: number, statPrefix = "test"): void {
  const mark = { name: "mark", configDiscovery: { configSource: source, typeUrls: [MUTATION] } };
  const manager = packAny("HttpConnectionManager", {
    statPrefix,
    httpFilters: [mark, { name: "router", typedConfig: packAny("Router", {}) }],
    routeConfig: {
      name: "r",
      virtualHosts: [
        { name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, directResponse: { status: 200 } }] },
      ],
    },
  });
  group.set("listeners", name, {
    name,
    address: { socketAddress: { address: "127.0.0.1", portValue: port } },
    enableReusePort: false,
    filterChains: [{ filters: [{ name: "http", typedConfig: manager }] }],
  });
}

const setMark = (value: string) =>
  group.set("extensionConfigs", "mark", {
    name: "mark",
    typedConfig: packAny("HeaderMutation", {
      mutations: { responseMutations: [{ append: { header: { key: "x-mark", value } } }] },
    }),
  });
const markAt = async (address: string): Promise<string | null> =>
  (await fetch(`http://${address}/`)).headers.get("x-mark");
const statusOf = (name: string) => server.status().find(({ nodeId }) => nodeId === name);
const blames = (name: string) =>
  statusOf(name)!.rejections.map(({ type, resources: [resource], blame }) => `${type} ${resource} ${blame}`);

describe("a content that no Envoy loads", () => {
  it("is kept from all after a proxy's word, if a scratch Envoy confirms it; others get what was good", async () => {
    setMark("1");
    setListener("main", 0);
    publish();
    const proxy = await startProxy("proxy");
    await until(() => statusOf("proxy")?.synced === true, "a synced proxy", proxy.log);
    const [good] = server.held("proxy")!.lds!.resources;
    setListener("main", 0, "");
    publish();
    await until(
      () => blames("proxy").join() === "lds main content",
      "the verdict",
      () => JSON.stringify(statusOf("proxy")),
    );
    const late = await connect("late", LISTENERS);
    expect(await answer(late)).toEqual([good!.version]);
    expect(blames("late")).toEqual(["lds main content"]);
    expect(await proxy.listener("main")).toBeDefined();
  });
});

describe("a proxy that rejects what is good", () => {
  it("as the first to be given a new plugin, holds up others only until a scratch Envoy has loaded it", async () => {
    setMark("1");
    setListener("main", 0);
    publish();
    const liar = await connect("liar", PLUGINS, ["mark"]);
    const [first] = await answer(liar);
    const proxy = await startProxy("proxy");
    await until(() => server.status().length === 2 && server.status().every(({ synced }) => synced), "both", proxy.log);
    const address = (await proxy.listener("main"))!;
    await until(async () => (await markAt(address).catch(() => null)) === "1", "the listener to listen", proxy.log);
    setMark("2");
    publish();
    expect(await answer(liar, "I do not like it")).not.toEqual([first]);
    await until(
      async () => (await markAt(address)) === "2",
      "the new plugin at the honest one",
      () => JSON.stringify(server.status()),
    );
    // Who rejected it has what it had, as it may have applied a part, and is offered it no more, on a new stream
    // neither.
    expect(await answer(liar)).toEqual([first]);
    expect([blames("liar"), blames("proxy")]).toEqual([["ecds mark proxy"], []]);
    liar.close();
    expect(await answer(await connect("liar", PLUGINS, ["mark"]))).toEqual([first]);
    const late = await connect("late", PLUGINS, ["mark"]);
    expect(await answer(late)).not.toEqual([first]);
  });
});

describe("a proxy that cannot have what others can", () => {
  let taken: Server;
  beforeAll(async () => {
    taken = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => taken.once("listening", resolve));
  });
  afterAll(() => void taken.close());

  it("because its port is taken, says so for itself only", async () => {
    setMark("1");
    setListener("main", (taken.address() as AddressInfo).port);
    publish();
    const proxy = await startProxy("proxy");
    await until(
      () => statusOf("proxy")?.rejections[0]?.blame === "proxy",
      "the verdict",
      () => `${JSON.stringify(server.status())}\n${proxy.log()}`,
    );
    expect(statusOf("proxy")!.rejections).toMatchObject([
      { type: "lds", resources: ["main"], message: expect.stringContaining("Address already in use") },
    ]);
    const elsewhere = await connect("elsewhere", LISTENERS);
    expect(await answer(elsewhere)).toHaveLength(1);
    await until(() => statusOf("elsewhere")?.synced === true, "it to have it");
    expect(blames("elsewhere")).toEqual([]);
  });
});
