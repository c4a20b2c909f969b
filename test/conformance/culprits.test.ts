// A rejection that names nothing: the culprit is found on an Envoy that serves nobody, and the one that serves is told
// of it no second time.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createResourceEncoder, type EncodedResource } from "../../controlplane/snapshot/encode.ts";
import type { ResourceKind, ResourceMessages } from "../../controlplane/snapshot/resources.ts";
import { createSystemClock } from "../../controlplane/telemetry/clock.ts";
import { createResourceCache } from "../../controlplane/xds/resource-cache.ts";
import { createScratchEnvoy } from "../../controlplane/xds/rejections/scratch-envoy.ts";
import { createXdsServer, type XdsServer } from "../../controlplane/xds/server.ts";
import { packAny } from "../../protos/codec.ts";
import { resourceTypes } from "../../controlplane/snapshot/type-urls.ts";
import { discoveryMethods } from "../../controlplane/xds/grpc/services.ts";
import { scenarioNames, translateScenario } from "../golden/scenario.ts";
import { buildScratchBootstrap } from "../../controlplane/xds/rejections/scratch-bootstrap.ts";
import { scratchDirectory } from "../support/children.ts";
import { findEnvoy, validateConfiguration } from "../support/envoy.ts";
import { processes } from "../support/processes.ts";
import { until } from "../support/until.ts";
import { openRawClient, type RawClient } from "../support/raw-client.ts";

const findBinary = async (): Promise<string> => (await findEnvoy()).path;
const encoder = createResourceEncoder();
const silent = { info: () => undefined, warn: () => undefined, error: (fields: object) => console.error(fields) };

function encodeAll<K extends ResourceKind>(
  kind: K,
  messages: Readonly<Record<string, ResourceMessages[K]>>,
): EncodedResource[] {
  return Object.entries(messages).map(([name, message]) =>
    encoder.encodeResource(kind, name, message as ResourceMessages[K]),
  );
}

const names = (resources: readonly EncodedResource[]): string[] => resources.map(({ name }) => name);
const direct = (name: string) => ({
  name,
  domains: [name],
  routes: [{ match: { prefix: "/" }, directResponse: { status: 200 } }],
});
const listenerAt = (portValue: number) => ({
  name: "one",
  address: { socketAddress: { address: "127.0.0.1", portValue } },
  filterChains: [{ filters: [] }],
});
const endpoint = (address: string) => ({
  lbEndpoints: [{ endpoint: { address: { socketAddress: { address, portValue: 80 } } } }],
});
const mutation = packAny("HeaderMutation", {
  mutations: { responseMutations: [{ append: { header: { key: "x", value: "y" } } }] },
});

describe("an Envoy that serves nobody", () => {
  const { examine } = createScratchEnvoy({ findBinary });

  it.each([
    [
      "virtual hosts",
      encodeAll("virtualHosts", {
        "80/a": direct("a"),
        "80/bad": { name: "bad", domains: ["x", "x"] },
        "80/c": direct("c"),
        "80/d": { name: "d", domains: ["d"], routes: [{ match: { prefix: "/" }, route: { cluster: "not here" } }] },
      }),
      ["80/bad"],
    ],
    [
      "endpoints",
      encodeAll("endpoints", {
        a: { clusterName: "a", endpoints: [endpoint("127.0.0.1")] },
        bad: { clusterName: "bad", endpoints: [endpoint("not an address")] },
      }),
      ["bad"],
    ],
    [
      "routes",
      encodeAll("routes", {
        a: { name: "a", virtualHosts: [direct("a")] },
        bad: { name: "bad", virtualHosts: [direct("a"), direct("a")] },
      }),
      ["bad"],
    ],
    [
      "filters",
      encodeAll("extensionConfigs", {
        a: { name: "a", typedConfig: mutation },
        bad: { name: "bad", typedConfig: packAny("Wasm", { config: { vmConfig: { runtime: "none" } } }) },
      }),
      ["bad"],
    ],
    ["nothing bad", encodeAll("virtualHosts", { "80/a": direct("a"), "80/b": direct("b") }), []],
  ] as const)("finds the culprit among %s", async (_what, resources, culprits) => {
    expect(names(await examine(resources, ""))).toEqual(culprits);
  });

  it("does not look into secrets, and accuses nobody when there is no Envoy", async () => {
    expect(await examine(encodeAll("secrets", { a: { name: "a" }, b: { name: "b" } }), "")).toEqual([]);
    const { examine: without } = createScratchEnvoy({ findBinary: () => Promise.resolve(undefined) });
    expect(
      await without(
        encodeAll("virtualHosts", { "80/bad": { name: "bad", domains: ["x", "x"] }, "80/c": direct("c") }),
        "",
      ),
    ).toEqual([]);
  });
});

it("an Envoy for whose trial the disk had no room is asked again", async () => {
  const { examine, judge } = createScratchEnvoy({ findBinary });
  const [bad, fine] = encodeAll("virtualHosts", {
    "80/bad": { name: "bad", domains: ["x", "x"] },
    "80/c": direct("c"),
  });
  vi.stubEnv("TMPDIR", "/no/such/folder");
  await expect(judge(bad!, undefined, "b/a")).rejects.toThrow("ENOENT");
  await expect(examine([bad!, fine!], "")).rejects.toThrow("ENOENT");
  vi.unstubAllEnvs();
  expect(await judge(bad!, undefined, "b/a")).toBe(false);
  expect(names(await examine([bad!, fine!], ""))).toEqual(["80/bad"]);
});

it("an Envoy that waits at a pipe says the same, and leaves nothing behind", async () => {
  const directory = join(scratchDirectory(), "scratch");
  const scratch = createScratchEnvoy({ findBinary, directory });
  const [bad, fine] = encodeAll("virtualHosts", {
    "80/bad": { name: "bad", domains: ["x", "x"] },
    "80/c": direct("c"),
  });
  // The same names and addresses in several proxies.
  const twice = encodeAll("listeners", { one: listenerAt(8080), two: listenerAt(8080) });
  scratch.warmUp();
  const all = [bad!, fine!, ...twice, ...encodeAll("clusters", { c: { name: "c", type: "STATIC" } })];
  expect(await scratch.tryAll(all)).toMatchObject({ loads: false, reason: expect.stringContaining("domain x") });
  expect((await scratch.refused(all)).map(({ resource }) => resource.name)).toEqual(["80/bad"]);
  expect(await scratch.tryAll(all.slice(1))).toEqual({ loads: true });
  await scratch.close();
  expect(existsSync(directory)).toBe(false);
  expect(processes().filter(({ words }) => words.join(" ").includes(directory))).toEqual([]);
});

describe("what our translation makes", () => {
  const goldens = fileURLToPath(new URL("../golden", import.meta.url));
  const directory = mkdtempSync(join(tmpdir(), "scrim-trials-"));
  afterAll(() => rmSync(directory, { recursive: true }));

  // What it named as bad although it is good would be kept from all proxies as soon as one of them says so too.
  it.each(scenarioNames(goldens))("is loaded by an Envoy that serves nobody: %s", async (scenario) => {
    const { maps } = encoder.encodeResources(scenario, translateScenario(join(goldens, scenario)).resources);
    for (const kind of ["clusters", "listeners"] as const) {
      const path = join(directory, `${scenario}-${kind}.pb`);
      if (maps[kind].size === 0) continue;
      writeFileSync(path, buildScratchBootstrap([...maps[kind].values()])!);
      await validateConfiguration(path);
    }
  });
});

describe("a judgement", () => {
  const { judge } = createScratchEnvoy({ findBinary });
  const [fine, worse, alike] = encodeAll("virtualHosts", {
    fine: direct("fine"),
    worse: { name: "worse", domains: ["x", "x"] },
    alike: { name: "alike", domains: ["y", "y"] },
  }) as [EncodedResource, EncodedResource, EncodedResource];
  const missing = (file: string) =>
    encoder.encodeResource("clusters", "c", {
      name: "c",
      transportSocket: {
        name: "tls",
        typedConfig: packAny("UpstreamTlsContext", {
          commonTlsContext: { validationContext: { trustedCa: { filename: file } } },
        }),
      },
    });

  it("says whether a content is loaded", async () => {
    expect([
      await judge(fine, undefined, "p"),
      await judge(worse, fine, "p"),
      await judge(worse, undefined, "p"),
    ]).toEqual([true, false, false]);
  });

  it("is none where what a proxy has cannot be loaded here either: its files, say, are not here", async () => {
    expect(await judge(worse, alike, "p")).toBeUndefined();
    expect(await judge(missing("/not/here/new.pem"), missing("/not/here/old.pem"), "p")).toBeUndefined();
  });

  it("is none for who has too many waiting, and there is one for others all the same", async () => {
    const many = encodeAll(
      "virtualHosts",
      Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`m${index}`, direct(`m${index}`)])),
    );
    const greedy = many.map((resource) => judge(resource, undefined, "greedy"));
    expect(await judge(encodeAll("virtualHosts", { own: direct("own") })[0]!, undefined, "other")).toBe(true);
    expect(await Promise.all(greedy)).toEqual([true, true, true, true, undefined, undefined, undefined, undefined]);
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
    server = createXdsServer({
      ...cache.source(() => "all"),
      plaintext: { host: "127.0.0.1", port: 0 },
      clock: createSystemClock(),
      log: silent,
      ...createScratchEnvoy({ findBinary }),
    });
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
    client.send({
      typeUrl: all.typeUrl,
      responseNonce: all.nonce,
      errorDetail: { code: 3, message: "Only unique values for domains are permitted" },
    });
    const good = await client.next();
    expect(good.resources.map(({ name }) => name)).toEqual(["80/a", "80/b"]);
    client.send({ typeUrl: good.typeUrl, responseNonce: good.nonce });
    await until(() => server.reach("virtualHosts", "80/a").reached === 1, "the good ones");
    expect(server.reach("virtualHosts", "80/bad")).toEqual({
      of: 1,
      reached: 0,
      waiting: [],
      rejected: [{ nodeId: "p", reason: "Only unique values for domains are permitted" }],
    });
    expect(client.responses).toHaveLength(4);
    expect(server.status()[0]!.rejections).toMatchObject([{ type: "vhds", resources: ["80/bad"] }]);
  });
});
