// A rejection that names nothing: the culprit is found on an Envoy that serves nobody, and the one that serves is told of it no second time.
import { homedir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createResourceEncoder, type EncodedResource } from "../../controlplane/snapshot/encode.ts";
import type { ResourceKind, ResourceMessages } from "../../controlplane/snapshot/resources.ts";
import { createSystemClock } from "../../controlplane/telemetry/clock.ts";
import { createResourceCache } from "../../controlplane/xds/resource-cache.ts";
import { createScratchEnvoy } from "../../controlplane/xds/scratch-envoy.ts";
import { createXdsServer, type XdsServer } from "../../controlplane/xds/server.ts";
import { packAny } from "../../protos/codec.ts";
import { resourceTypes } from "../../controlplane/snapshot/type-urls.ts";
import { discoveryMethods } from "../../controlplane/xds/services.ts";
import { until } from "./envoy-process.ts";
import { openRawClient, type RawClient } from "./raw-client.ts";

const binary = process.env["ENVOY_PATH"] ?? join(process.env["SCRIM_CACHE_DIR"] ?? join(homedir(), ".cache", "scrim"), "envoy", "1.40.0", "envoy");
const encoder = createResourceEncoder();
const silent = { info: () => undefined, warn: () => undefined, error: (fields: object) => console.error(fields) };

function encodeAll<K extends ResourceKind>(kind: K, messages: Readonly<Record<string, ResourceMessages[K]>>): EncodedResource[] {
  return Object.entries(messages).map(([name, message]) => encoder.encodeResource(kind, name, message as ResourceMessages[K]));
}

const names = (resources: readonly EncodedResource[]): string[] => resources.map(({ name }) => name);
const direct = (name: string) => ({ name, domains: [name], routes: [{ match: { prefix: "/" }, directResponse: { status: 200 } }] });
const endpoint = (address: string) => ({ lbEndpoints: [{ endpoint: { address: { socketAddress: { address, portValue: 80 } } } }] });
const mutation = packAny("HeaderMutation", { mutations: { responseMutations: [{ append: { header: { key: "x", value: "y" } } }] } });

describe("an Envoy that serves nobody", () => {
  const { examine } = createScratchEnvoy({ findBinary: () => Promise.resolve(binary) });

  it.each([
    ["virtual hosts", encodeAll("virtualHosts", { "80/a": direct("a"), "80/bad": { name: "bad", domains: ["x", "x"] }, "80/c": direct("c"), "80/d": { name: "d", domains: ["d"], routes: [{ match: { prefix: "/" }, route: { cluster: "not here" } }] } }), ["80/bad"]],
    ["endpoints", encodeAll("endpoints", { a: { clusterName: "a", endpoints: [endpoint("127.0.0.1")] }, bad: { clusterName: "bad", endpoints: [endpoint("not an address")] } }), ["bad"]],
    ["routes", encodeAll("routes", { a: { name: "a", virtualHosts: [direct("a")] }, bad: { name: "bad", virtualHosts: [direct("a"), direct("a")] } }), ["bad"]],
    ["filters", encodeAll("extensionConfigs", { a: { name: "a", typedConfig: mutation }, bad: { name: "bad", typedConfig: packAny("Wasm", { config: { vmConfig: { runtime: "none" } } }) } }), ["bad"]],
    ["nothing bad", encodeAll("virtualHosts", { "80/a": direct("a"), "80/b": direct("b") }), []],
  ] as const)("finds the culprit among %s", async (_what, resources, culprits) => {
    expect(names(await examine(resources, ""))).toEqual(culprits);
  });

  it("does not look into secrets, and accuses nobody when there is no Envoy", async () => {
    expect(await examine(encodeAll("secrets", { a: { name: "a" }, b: { name: "b" } }), "")).toEqual([]);
    const { examine: without } = createScratchEnvoy({ findBinary: () => Promise.resolve(undefined) });
    expect(await without(encodeAll("virtualHosts", { "80/bad": { name: "bad", domains: ["x", "x"] }, "80/c": direct("c") }), "")).toEqual([]);
  });
});

describe("a proxy that rejects several virtual hosts at once", () => {
  const cache = createResourceCache();
  const group = cache.group("all");
  let server: XdsServer;
  let client: RawClient<"delta">;

  beforeAll(async () => {
    group.set("routes", "80", { name: "80", vhds: { configSource: { ads: {} } } });
    cache.publish();
    server = createXdsServer({ ...cache.source(() => "all"), plaintext: { host: "127.0.0.1", port: 0 }, clock: createSystemClock(), log: silent, ...createScratchEnvoy({ findBinary: () => Promise.resolve(binary) }) });
    cache.onPublish(server.notify);
    await server.listen();
    client = openRawClient("delta", discoveryMethods[0]!.path, server.plaintextAddress()!);
  });
  afterAll(async () => {
    client.close();
    await server.close();
  });

  it("is sent the good ones once more, and the bad one never again", async () => {
    client.send({ node: { id: "p" }, typeUrl: resourceTypes.routes.typeUrl, resourceNamesSubscribe: ["80"] });
    const routes = await client.next();
    client.send({ typeUrl: routes.typeUrl, responseNonce: routes.nonce });
    client.send({ typeUrl: resourceTypes.virtualHosts.typeUrl });
    const empty = await client.next();
    client.send({ typeUrl: empty.typeUrl, responseNonce: empty.nonce });
    for (const name of ["a", "b"]) group.set("virtualHosts", `80/${name}`, direct(name));
    group.set("virtualHosts", "80/bad", { name: "bad", domains: ["x", "x"] });
    cache.publish();
    const all = await client.next();
    expect(all.resources.map(({ name }) => name)).toEqual(["80/a", "80/b", "80/bad"]);
    client.send({ typeUrl: all.typeUrl, responseNonce: all.nonce, errorDetail: { code: 3, message: "Only unique values for domains are permitted" } });
    const good = await client.next();
    expect(good.resources.map(({ name }) => name)).toEqual(["80/a", "80/b"]);
    client.send({ typeUrl: good.typeUrl, responseNonce: good.nonce });
    await until(() => server.reach("virtualHosts", "80/a").reached === 1, "the good ones");
    expect(server.reach("virtualHosts", "80/bad")).toEqual({ of: 1, reached: 0, waiting: [], refused: [{ nodeId: "p", reason: "Only unique values for domains are permitted" }] });
    expect(client.responses).toHaveLength(4);
    expect(server.status()[0]!.rejections).toMatchObject([{ type: "vhds", resources: ["80/bad"] }]);
  });
});
