import { describe, expect, it } from "vitest";
import { decode, packAny } from "../../protos/codec.ts";
import { layered } from "../world/layered-map.ts";
import { describeProblem, findProblems, namesReferredTo } from "./consistency.ts";
import { createResourceEncoder } from "./encode.ts";
import { emptyResources, type EnvoyResources } from "../translate/emit/resources.ts";

function listener(name: string, route: string, cluster: string): EnvoyResources {
  const resources = emptyResources();
  const http = packAny("HttpConnectionManager", {
    statPrefix: "x",
    rds: { routeConfigName: route, configSource: { ads: {} } },
    httpFilters: [{ name: "scrim.authz", configDiscovery: { configSource: { ads: {} }, typeUrls: ["x"] } }],
  });
  const tls = packAny("DownstreamTlsContext", {
    commonTlsContext: { tlsCertificateSdsSecretConfigs: [{ name: "default", sdsConfig: { ads: {} } }] },
  });
  resources.listeners.set(name, {
    name,
    filterChains: [
      { filters: [{ name: "http", typedConfig: http }], transportSocket: { name: "tls", typedConfig: tls } },
    ],
  });
  resources.virtualHosts.set(`${route}/a:80`, {
    name: "a:80",
    domains: ["a"],
    routes: [{ match: { prefix: "/" }, route: { weightedClusters: { clusters: [{ name: cluster, weight: 1 }] } } }],
  });
  return resources;
}

const never = () => false;

describe("encoding", () => {
  it("gives equal content one encoded resource, and equal maps one map", () => {
    const encoder = createResourceEncoder();
    const first = encoder.encodeResources("c", listener("l", "80", "x"));
    const second = encoder.encodeResources("c", listener("l", "80", "x"), first);
    expect(second).toBe(first);
    const third = encoder.encodeResources("c", listener("l", "80", "y"), first);
    expect(third.maps.listeners).toBe(first.maps.listeners);
    expect(third.maps.virtualHosts.get("80/a:80")?.version).not.toBe(first.maps.virtualHosts.get("80/a:80")?.version);
  });

  it("shares content between classes and encoders agree on versions", () => {
    const encoder = createResourceEncoder();
    const one = encoder.encodeResource("clusters", "a", { name: "a" });
    expect(encoder.encodeResource("clusters", "a", { name: "a" })).toBe(one);
    expect(createResourceEncoder().encodeResource("clusters", "a", { name: "a" }).version).toBe(one.version);
    expect(encoder.encodeResource("clusters", "b", { name: "a" }).version).not.toBe(one.version);
  });

  it("calls a virtual host what its resource is called, or Envoy could not remove it", () => {
    const { bytes } = createResourceEncoder().encodeResource("virtualHosts", "80/a:80", {
      name: "a:80",
      domains: ["a"],
    });
    expect(decode("VirtualHost", decode("Resource", bytes).resource!.value).name).toBe("80/a:80");
  });

  it("writes a Resource with name, version and the packed message", () => {
    const { bytes, version } = createResourceEncoder().encodeResource("clusters", "a", { name: "a", type: "EDS" });
    const resource = decode("Resource", bytes);
    expect(resource).toMatchObject({ name: "a", version });
    expect(decode("Cluster", resource.resource!.value)).toEqual({ name: "a", type: "EDS" });
  });
});

describe("consistency", () => {
  it("names every reference that does not resolve, also from within packed messages", () => {
    const encoded = createResourceEncoder().encodeResources("c", listener("l", "80", "outbound|80||a"));
    expect(findProblems(encoded, never, never).map(describeProblem).sort()).toEqual([
      "listeners l names extensionConfigs scrim.authz, which does not exist",
      "listeners l names routes 80, which does not exist",
      "listeners l names secrets default, which does not exist",
      "virtualHosts 80/a:80 belongs to no route configuration",
      "virtualHosts 80/a:80 names clusters outbound|80||a, which does not exist",
    ]);
  });

  it("finds nothing when all is there, and an EDS cluster needs its endpoints", () => {
    const resources = listener("l", "80", "a");
    resources.routes.set("80", { name: "80" });
    resources.extensionConfigs.set("scrim.authz", { name: "scrim.authz" });
    resources.clusters.set("a", { name: "a", type: "EDS", edsClusterConfig: { serviceName: "a-endpoints" } });
    const encoder = createResourceEncoder();
    const isSecret = (name: string) => name === "default";
    expect(findProblems(encoder.encodeResources("c", resources), never, isSecret)).toMatchObject([
      { to: { kind: "endpoints", name: "a-endpoints" } },
    ]);
    resources.endpoints.set("a-endpoints", { clusterName: "a-endpoints" });
    expect(findProblems(encoder.encodeResources("c", resources), never, isSecret)).toEqual([]);
  });

  it("names what resources refer to, whichever layer they are in", () => {
    const encoder = createResourceEncoder();
    const [shared, own] = ["a", "b"].map(
      (name) => encoder.encodeResources("c", listener(name, name, "x")).maps.listeners,
    );
    expect(namesReferredTo(shared!, "secrets")).toEqual(["default"]);
    expect(namesReferredTo(layered(shared!, own!), "routes")).toEqual(["a", "b"]);
    expect(namesReferredTo(new Map(), "secrets")).toEqual([]);
  });
});
