// A real Envoy that asks for the virtual hosts of requests it has no route for (envoy.filters.http.on_demand), over
// VHDS aggregated and on a stream of its own.
import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ConfigSource } from "../../protos/build/envoy.ts";
import { resourceTypes } from "../../controlplane/snapshot/type-urls.ts";
import { createSystemClock } from "../../controlplane/telemetry/clock.ts";
import { createResourceCache } from "../../controlplane/xds/resource-cache.ts";
import { createXdsServer, type XdsServer } from "../../controlplane/xds/server.ts";
import { packAny } from "../../protos/codec.ts";
import { plaintextBootstrap } from "../support/ads-bootstrap.ts";
import { type Envoy, startEnvoy } from "../support/envoy.ts";
import { until } from "../support/until.ts";

const silent = { info: () => undefined, warn: () => undefined, error: (fields: object) => console.error(fields) };
const onDemand = {
  name: "on-demand",
  typedConfig: {
    typeUrl: "type.googleapis.com/envoy.extensions.filters.http.on_demand.v3.OnDemand",
    value: new Uint8Array(),
  },
};

const variants: readonly { name: string; source: ConfigSource }[] = [
  { name: "aggregated", source: { ads: {}, resourceApiVersion: "V3" } },
  {
    name: "on streams of their own",
    source: {
      apiConfigSource: {
        apiType: "DELTA_GRPC",
        transportApiVersion: "V3",
        grpcServices: [{ envoyGrpc: { clusterName: "xds" } }],
      },
      resourceApiVersion: "V3",
    },
  },
];

function get(address: string, host: string): Promise<string> {
  const [hostname, port] = address.split(":");
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path: "/", headers: { host }, agent: false }, (response) => {
      let body = "";
      response
        .setEncoding("utf8")
        .on("data", (text: string) => (body += text))
        .on("end", () => resolve(`${response.statusCode} ${body}`));
    });
    sent.on("error", reject).end();
  });
}

describe.each(variants)("virtual hosts $name", ({ source }) => {
  const cache = createResourceCache();
  const group = cache.group("all");
  let server: XdsServer;
  let envoy: Envoy;
  const addresses: Record<string, string> = {};

  const setHost = (route: string, name: string, text = name) =>
    group.set("virtualHosts", `${route}/${name}`, {
      name,
      domains: [name],
      routes: [{ match: { prefix: "/" }, directResponse: { status: 200, body: { inlineString: text } } }],
    });
  const setListener = (route: string) => {
    const manager = packAny("HttpConnectionManager", {
      statPrefix: "test",
      rds: { routeConfigName: route, configSource: source },
      httpFilters: [onDemand, { name: "router", typedConfig: packAny("Router", {}) }],
    });
    group.set("listeners", route, {
      name: route,
      address: { socketAddress: { address: "127.0.0.1", portValue: 0 } },
      filterChains: [{ filters: [{ name: "http", typedConfig: manager }] }],
    });
    group.set("routes", route, { name: route, vhds: { configSource: source } });
  };
  const told = () => JSON.stringify([server.status(), Object.keys(server.held("p")?.vhds ?? {})]) + envoy.log();

  beforeAll(async () => {
    for (const route of ["one", "two"]) {
      setListener(route);
      setHost(route, "known.test", `known to ${route}`);
    }
    cache.publish();
    server = createXdsServer({
      ...cache.source(() => "all"),
      plaintext: { host: "127.0.0.1", port: 0 },
      clock: createSystemClock(),
      log: silent,
    });
    cache.onPublish(server.notify);
    await server.listen();
    envoy = await startEnvoy(
      plaintextBootstrap({ port: server.plaintextAddress()!.port, node: { id: "p", cluster: "test" } }),
    );
    for (const route of ["one", "two"])
      await until(async () => (addresses[route] = (await envoy.listener(route)) ?? "") !== "", "the listeners", told);
    await until(() => server.status()[0]?.synced === true, "a synced proxy", told);
  });
  afterAll(async () => {
    await envoy.stop();
    await server.close();
  });

  it("answer requests for hosts that are known", async () => {
    // A listener has its address before it listens.
    for (const route of ["one", "two"])
      await until(
        async () => (await get(addresses[route]!, "known.test").catch(String)) === `200 known to ${route}`,
        `an answer of ${route}`,
        told,
      );
  });

  it("that do not exist are said not to: the request that waited for them is answered", async () => {
    expect(await get(addresses["one"]!, "unknown.test")).toMatch(/^404/);
    expect(server.status()[0]!.rejections).toEqual([]);
  }, 8_000);

  it("that come later answer, and that go are gone", async () => {
    setHost("one", "unknown.test");
    cache.publish();
    await until(
      async () => (await get(addresses["one"]!, "unknown.test")) === "200 unknown.test",
      "the new host",
      told,
    );
    expect(await get(addresses["two"]!, "unknown.test")).toMatch(/^404/);
    group.delete("virtualHosts", "one/unknown.test");
    cache.publish();
    await until(async () => (await get(addresses["one"]!, "unknown.test")).startsWith("404"), "its end", told);
    expect(await get(addresses["one"]!, "known.test")).toBe("200 known to one");
    expect(resourceTypes.virtualHosts.short).toBe("vhds");
  });
});
