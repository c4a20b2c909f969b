// A real Envoy over each way of xDS: state of the world and delta, aggregated and a stream for each type.
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ConfigSource } from "../../protos/build/envoy.ts";
import { createSystemClock } from "../../controlplane/telemetry/clock.ts";
import { createResourceCache } from "../../controlplane/xds/resource-cache.ts";
import { createXdsServer, type XdsServer } from "../../controlplane/xds/server.ts";
import { durationFromMs, packAny } from "../../protos/codec.ts";
import { plaintextBootstrap } from "../support/ads-bootstrap.ts";
import { type Envoy, startEnvoy } from "../support/envoy.ts";
import { until } from "../support/until.ts";

const silent = { info: () => undefined, warn: () => undefined, error: (fields: object) => console.error(fields) };

interface Variant {
  readonly name: string;
  readonly apiType: "GRPC" | "DELTA_GRPC";
  readonly isAggregated: boolean;
}

const variants: readonly Variant[] = [
  { name: "state of the world, aggregated", apiType: "GRPC", isAggregated: true },
  { name: "state of the world, by type", apiType: "GRPC", isAggregated: false },
  { name: "delta, aggregated", apiType: "DELTA_GRPC", isAggregated: true },
  { name: "delta, by type", apiType: "DELTA_GRPC", isAggregated: false },
];

/** Where Envoy is to find what a resource names, in this variant. */
function sourceOf({ apiType, isAggregated }: Variant): ConfigSource {
  const common = { resourceApiVersion: "V3", initialFetchTimeout: { seconds: 0 } } as const;
  if (isAggregated) return { ads: {}, ...common };
  return {
    apiConfigSource: { apiType, transportApiVersion: "V3", grpcServices: [{ envoyGrpc: { clusterName: "xds" } }] },
    ...common,
  };
}

function bootstrapFor(variant: Variant, port: number): object {
  const id = `sidecar~127.0.0.1~${variant.apiType}-${variant.isAggregated}.shop~shop.svc`;
  return plaintextBootstrap({ port, node: { id, cluster: "test" }, variant, isPatient: true });
}

/** `status header body` of a GET. */
function get(address: string, host = "up.test"): Promise<string> {
  const [hostname, port] = address.split(":");
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path: "/", headers: { host }, agent: false }, (response) => {
      let body = "";
      response
        .setEncoding("utf8")
        .on("data", (text: string) => (body += text))
        .on("end", () => resolve(`${response.statusCode} ${response.headers["x-from"] ?? "-"} ${body}`));
    });
    sent.on("error", reject).end();
  });
}

async function startUpstream(name: string) {
  const server = createServer((_, response) => response.end(name)).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

describe.each(variants)("$name", (variant) => {
  const source = sourceOf(variant);
  const cache = createResourceCache();
  const group = cache.group("shop");
  let server: XdsServer;
  let envoy: Envoy;
  let upstreams: Awaited<ReturnType<typeof startUpstream>>[];
  let address = "";

  const setEndpoint = (cluster: string, port: number) =>
    group.set("endpoints", cluster, {
      clusterName: cluster,
      endpoints: [
        { lbEndpoints: [{ endpoint: { address: { socketAddress: { address: "127.0.0.1", portValue: port } } } }] },
      ],
    });
  const setCluster = (cluster: string, port: number) => {
    group.set("clusters", cluster, {
      name: cluster,
      type: "EDS",
      connectTimeout: durationFromMs(1_000),
      edsClusterConfig: { edsConfig: source },
    });
    setEndpoint(cluster, port);
  };
  const routeTo = (cluster: string) =>
    group.set("virtualHosts", "80/up.test", {
      name: "up.test",
      domains: ["up.test"],
      routes: [{ match: { prefix: "/" }, route: { cluster } }],
    });
  const setHeader = (value: string) =>
    group.set("extensionConfigs", "mark", {
      name: "mark",
      typedConfig: packAny("HeaderMutation", {
        mutations: { responseMutations: [{ append: { header: { key: "x-from", value } } }] },
      }),
    });
  const setListener = (name: string) => {
    const mark = {
      name: "mark",
      configDiscovery: {
        configSource: source,
        typeUrls: ["type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation"],
      },
    };
    const manager = packAny("HttpConnectionManager", {
      statPrefix: "test",
      rds: { routeConfigName: "80", configSource: source },
      httpFilters: [mark, { name: "router", typedConfig: packAny("Router", {}) }],
    });
    group.set("listeners", name, {
      name,
      address: { socketAddress: { address: "127.0.0.1", portValue: 0 } },
      filterChains: [{ filters: [{ name: "http", typedConfig: manager }] }],
    });
  };
  const status = () => server.status()[0];
  const synced = () =>
    until(
      () => status()?.synced === true,
      "a synced proxy",
      () => `${JSON.stringify(status())}\n${envoy.log()}`,
    );
  const answers = (answer: string) =>
    until(
      async () => (await get(address).catch(String)) === answer,
      answer,
      () => `${JSON.stringify(status())}\n${envoy.log()}`,
    );

  beforeAll(async () => {
    upstreams = await Promise.all([startUpstream("one"), startUpstream("two")]);
    setCluster("one", upstreams[0]!.port);
    // A delta client takes virtual hosts apart; its own route configuration says where they come from.
    group.set("routes", "80", { name: "80", vhds: { configSource: source } });
    routeTo("one");
    setHeader("first");
    setListener("main");
    cache.publish();
    server = createXdsServer({
      ...cache.source(({ node }) => node.namespace),
      plaintext: { host: "127.0.0.1", port: 0 },
      clock: createSystemClock(),
      log: silent,
    });
    cache.onPublish(server.notify);
    await server.listen();
    envoy = await startEnvoy(bootstrapFor(variant, server.plaintextAddress()!.port));
    await until(
      async () => (await envoy.listener("main")) !== undefined,
      "the listener",
      () => `${JSON.stringify(status())}\n${envoy.log()}`,
    );
    address = (await envoy.listener("main"))!;
  });
  afterAll(async () => {
    await envoy.stop();
    await server.close();
    for (const upstream of upstreams) upstream.stop();
  });

  it("serves: cluster, endpoints, listener, filter, route, virtual host", async () => {
    await answers("200 first one");
    await synced();
    expect(status()).toMatchObject({
      isProven: false,
      types: {
        cds: { state: "SYNCED" },
        eds: { state: "SYNCED" },
        lds: { state: "SYNCED" },
        rds: { state: "SYNCED" },
        ecds: { state: "SYNCED" },
      },
    });
    expect(server.reach("virtualHosts", "80/up.test")).toEqual({ of: 1, reached: 1, waiting: [], rejected: [] });
  });

  it("follows endpoints, filter configurations and virtual hosts", async () => {
    setEndpoint("one", upstreams[1]!.port);
    cache.publish();
    await answers("200 first two");
    setHeader("second");
    cache.publish();
    await answers("200 second two");
    setCluster("other", upstreams[0]!.port);
    cache.publish();
    await synced();
    routeTo("other");
    cache.publish();
    await answers("200 second one");
  });

  it("adds and removes listeners and clusters", async () => {
    setListener("second");
    setCluster("extra", upstreams[0]!.port);
    cache.publish();
    await until(
      async () =>
        (await envoy.listener("second")) !== undefined && (await envoy.admin("/clusters")).includes("extra::"),
      "the listener and the cluster",
      envoy.log,
    );
    group.delete("listeners", "second");
    group.delete("clusters", "extra");
    group.delete("endpoints", "extra");
    cache.publish();
    await until(
      async () =>
        (await envoy.listener("second")) === undefined && !(await envoy.admin("/clusters")).includes("extra::"),
      "them to go",
      envoy.log,
    );
    await synced();
  });

  it("keeps what was good when one listener among several is bad, and says which", async () => {
    setListener("good");
    group.set("listeners", "bad", {
      name: "bad",
      address: { socketAddress: { address: "127.0.0.1", portValue: 0 } },
      filterChains: [
        {
          filters: [
            {
              name: "none",
              typedConfig: { typeUrl: "type.googleapis.com/google.protobuf.Struct", value: new Uint8Array() },
            },
          ],
        },
      ],
    });
    cache.publish();
    await until(
      () => status()?.types.lds.state === "ERROR",
      "the rejection",
      () => JSON.stringify(status()),
    );
    await until(async () => (await envoy.listener("good")) !== undefined, "the good listener", envoy.log);
    expect(status()!.rejections).toMatchObject([{ type: "lds", resources: ["bad"] }]);
    await answers("200 second one");
    group.delete("listeners", "bad");
    group.delete("listeners", "good");
    cache.publish();
    await synced();
  });

  it("fails no request while routes and clusters change places", async () => {
    if (!variant.isAggregated)
      return void expect(
        status()?.synced,
        "streams of one type have no order between them: that is what aggregation is for",
      ).toBe(true);
    const seen = new Set<string>();
    let isOver = false;
    const load = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (!isOver) seen.add(await get(address));
      }),
    );
    for (let round = 0; round < 15; round++) {
      setCluster(`up-${round}`, upstreams[0]!.port);
      routeTo(`up-${round}`);
      group.delete("clusters", `up-${round - 1}`);
      group.delete("endpoints", `up-${round - 1}`);
      cache.publish();
      await synced();
    }
    isOver = true;
    await load;
    expect([...seen]).toEqual(["200 second one"]);
  });

  it("goes on after the server was started anew, with what changed meanwhile", async () => {
    const { port } = server.plaintextAddress()!;
    await server.close();
    setHeader("third");
    cache.publish();
    server = createXdsServer({
      ...cache.source(({ node }) => node.namespace),
      plaintext: { host: "127.0.0.1", port },
      clock: createSystemClock(),
      log: silent,
    });
    cache.onPublish(() => server.notify());
    await server.listen();
    await answers("200 third one");
    await synced();
  });
});
