// A new plugin goes to one proxy first: the others get it when that one has taken it, and never when it has not.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resourceTypes } from "../../controlplane/snapshot/type-urls.ts";
import { createSystemClock } from "../../controlplane/telemetry/clock.ts";
import { discoveryMethods } from "../../controlplane/xds/grpc/services.ts";
import { createResourceCache } from "../../controlplane/xds/resource-cache.ts";
import { CHANGE_RISK } from "../../controlplane/xds/rejections/canary.ts";
import { createXdsServer, type XdsServer } from "../../controlplane/xds/server.ts";
import { openRawClient, type RawClient, type RawResponse } from "../support/raw-client.ts";
import { until } from "../support/until.ts";

const silent = { info: () => undefined, warn: () => undefined, error: (fields: object) => console.error(fields) };
const PLUGINS = resourceTypes.extensionConfigs.typeUrl;
const cache = createResourceCache();
const group = cache.group("all");
const setPlugin = (version: string): void => {
  group.set("extensionConfigs", "plugin", {
    name: "plugin",
    typedConfig: { typeUrl: version, value: new Uint8Array() },
  });
  cache.publish();
};
/** What an Envoy that serves nobody says of what was rejected. */
let loads: boolean | undefined = false;
let server: XdsServer;
let clients: RawClient<"delta">[];

const accept = (client: RawClient<"delta">, { nonce }: RawResponse): void =>
  client.send({ typeUrl: PLUGINS, responseNonce: nonce });
const reject = (client: RawClient<"delta">, { nonce }: RawResponse): void =>
  client.send({ typeUrl: PLUGINS, responseNonce: nonce, errorDetail: { code: 3, message: "it does not load" } });
/** Who has been sent something beyond so many responses. */
const told = (count: number): RawClient<"delta">[] => clients.filter(({ responses }) => responses.length > count);
const synced = () =>
  until(
    () => server.status().every((proxy) => proxy.synced),
    "all synced",
    () => JSON.stringify(server.status()),
  );

beforeAll(async () => {
  setPlugin("first");
  // A trial that ends by itself would hide that it waits for its proxy's word.
  server = createXdsServer({
    ...cache.source(() => "all"),
    plaintext: { host: "127.0.0.1", port: 0 },
    clock: createSystemClock(),
    log: silent,
    judge: () => Promise.resolve(loads),
    limits: { canaryMs: 20_000 },
  });
  cache.onPublish(server.notify);
  await server.listen();
  clients = [];
  for (let index = 0; index < 5; index++) {
    const client = openRawClient("delta", discoveryMethods[0]!.path, server.plaintextAddress()!);
    clients.push(client);
    client.send({ node: { id: `p-${index}` }, typeUrl: PLUGINS, resourceNamesSubscribe: ["plugin"] });
    accept(client, await client.next());
  }
  await synced();
});
afterAll(async () => {
  for (const client of clients) client.close();
  await server.close();
});

describe("a new plugin", () => {
  it("is sent to one proxy, and to the others when that one has accepted it", async () => {
    setPlugin("second");
    await until(() => told(1).length > 0, "the first");
    expect(server.reach("extensionConfigs", "plugin")).toMatchObject({ of: 5, reached: 0 });
    expect(told(1)).toHaveLength(1);
    const [canary] = told(1);
    accept(canary!, await canary!.next());
    await until(() => told(1).length === 5, "the others");
    for (const client of clients) if (client !== canary) accept(client, await client.next());
    await synced();
    expect(server.reach("extensionConfigs", "plugin")).toEqual({ of: 5, reached: 5, waiting: [], rejected: [] });
  });

  it("that it rejects reaches nobody else; the one before stays, for new proxies too, and why is said", async () => {
    setPlugin("bad");
    await until(() => told(2).length > 0, "the first");
    const [canary] = told(2);
    reject(canary!, await canary!.next());
    await until(() => server.reach("extensionConfigs", "plugin").rejected.length === 5, "the quarantine");
    const late = openRawClient("delta", discoveryMethods[0]!.path, server.plaintextAddress()!);
    late.send({ node: { id: "late" }, typeUrl: PLUGINS, resourceNamesSubscribe: ["plugin"] });
    const [held] = server.held("p-4")!.ecds!.resources;
    expect((await late.next()).resources).toMatchObject([{ name: "plugin", version: held!.version }]);
    late.close();
    for (const client of told(2).filter((one) => one !== canary))
      expect(client.responses.at(-1)!.resources[0]!.version).toBe(held!.version);
    expect(server.status().find(({ nodeId }) => nodeId === "p-4")?.rejections).toMatchObject([
      { type: "ecds", resources: ["plugin"], message: "it does not load" },
    ]);
  });

  it("that it rejects, and nobody can judge, is tried on a second one, and then reaches nobody else", async () => {
    loads = undefined;
    for (const client of clients) accept(client, client.responses.at(-1)!);
    const counts = clients.map(({ responses }) => responses.length);
    const toldNow = (): RawClient<"delta">[] =>
      clients.filter(({ responses }, index) => responses.length > counts[index]!);
    const latest = (client: RawClient<"delta">) => client.responses.at(-1)!;
    setPlugin("doubtful");
    await until(() => toldNow().length === 1, "the first");
    const [first] = toldNow();
    const doubtful = latest(first!).resources[0]!.version;
    reject(first!, latest(first!));
    await until(
      () => toldNow().some((client) => client !== first && latest(client).resources[0]!.version === doubtful),
      "the second",
    );
    const second = toldNow().find((client) => client !== first)!;
    reject(second, latest(second));
    await until(
      () => server.reach("extensionConfigs", "plugin").rejected.length === 5,
      "the quarantine",
      () => JSON.stringify(server.reach("extensionConfigs", "plugin")),
    );
    expect(
      clients.filter(({ responses }) => responses.some(({ resources }) => resources[0]?.version === doubtful)),
    ).toHaveLength(2);
    expect(server.status().map(({ rejections }) => rejections.map(({ blame }) => blame))).toEqual(
      Array(5).fill(["repeated"]),
    );
  });
});

describe("a change that nobody has tried before", () => {
  const CLUSTERS = resourceTypes.clusters.typeUrl;
  const changes = createResourceCache();
  const clusters = changes.group("all");
  const set = (name: string, altStatName: string): void => void clusters.set("clusters", name, { name, altStatName });
  let own: XdsServer;
  const streams: RawClient<"delta">[] = [];
  afterAll(async () => {
    for (const stream of streams) stream.close();
    await own?.close();
  });

  it("goes to one proxy, and to the others as a whole when that one has taken it", async () => {
    set("changed", "1");
    set("leaving", "1");
    changes.publish();
    own = createXdsServer({
      ...changes.source(() => "all"),
      plaintext: { host: "127.0.0.1", port: 0 },
      clock: createSystemClock(),
      log: silent,
      risk: CHANGE_RISK,
      limits: { canaryMs: 20_000 },
    });
    changes.onPublish(own.notify);
    await own.listen();
    const answer = async (stream: RawClient<"delta">): Promise<RawResponse> => {
      const response = await stream.next();
      stream.send({ typeUrl: CLUSTERS, responseNonce: response.nonce });
      return response;
    };
    for (let index = 0; index < 4; index++) {
      const stream = openRawClient("delta", discoveryMethods[0]!.path, own.plaintextAddress()!);
      streams.push(stream);
      stream.send({ node: { id: `q-${index}` }, typeUrl: CLUSTERS });
      await answer(stream);
    }
    await until(() => own.status().every((proxy) => proxy.synced), "all synced");
    set("changed", "2");
    clusters.delete("clusters", "leaving");
    changes.publish();
    const toldNow = () => streams.filter(({ responses }) => responses.length > 1);
    await until(() => toldNow().length > 0, "the first");
    await new Promise((resolve) => setImmediate(resolve));
    expect(toldNow()).toHaveLength(1);
    const [canary] = toldNow();
    expect((await answer(canary!)).resources.map(({ name }) => name)).toEqual(["changed"]);
    const others = streams.filter((stream) => stream !== canary);
    for (const stream of others) expect((await answer(stream)).resources.map(({ name }) => name)).toEqual(["changed"]);
    for (const stream of streams) expect((await answer(stream)).removed).toEqual(["leaving"]);
    await until(() => own.status().every((proxy) => proxy.synced), "all synced again");
  });
});
