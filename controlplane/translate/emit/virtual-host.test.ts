import { describe, expect, it } from "vitest";
import type { RequestMatch, Route, VirtualHost } from "../ir/routes.ts";
import { unknownHostsClusters } from "./special-clusters.ts";
import { buildVirtualHost, buildFallbackHost } from "./virtual-host.ts";

const none = { set: [], add: [], remove: [] };
const match = (changes: Partial<RequestMatch> = {}): RequestMatch => ({
  ignoreCase: false,
  headers: [],
  withoutHeaders: [],
  queryParameters: [],
  ...changes,
});
const route = (key: string, matched: RequestMatch): Route => ({
  name: key,
  key,
  match: matched,
  action: { kind: "respond", status: 200 },
  requestHeaders: none,
  responseHeaders: none,
});
const host = (decidedBy: VirtualHost["decidedBy"], ...routes: Route[]): VirtualHost => ({
  name: "a.com:80",
  domains: ["a.com"],
  routes,
  decidedBy,
  requireTls: false,
});
const matchesOf = (built: VirtualHost) => buildVirtualHost("80", built).routes?.map((entry) => entry.match);

describe("a virtual host decided by Envoy", () => {
  it("is named as it is delivered, without which Envoy could not remove it", () => {
    expect(buildVirtualHost("80", host("native")).name).toBe("80/a.com:80");
    expect(buildVirtualHost("http.80", host("native")).name).toBe("http.80/a.com:80");
  });

  it("matches paths: a prefix is any string, case counts unless told otherwise, a regex always", () => {
    expect(
      matchesOf(
        host(
          "native",
          route("a", match()),
          route("b", match({ path: { kind: "prefix", value: "/x" }, ignoreCase: true })),
          route("c", match({ path: { kind: "exact", value: "/x" } })),
          route("d", match({ path: { kind: "regex", value: "/[0-9]+" }, ignoreCase: true })),
        ),
      ),
    ).toEqual([
      { prefix: "/" },
      { prefix: "/x", caseSensitive: false },
      { path: "/x" },
      { safeRegex: { regex: "/[0-9]+" } },
    ]);
  });

  it("takes a header that is not there for one that does not match withoutHeaders", () => {
    const withoutHeaders = [
      { name: "a", match: { kind: "present" } },
      { name: "b", match: { kind: "exact", value: "1" } },
      { name: "c", match: { kind: "regex", value: ".*" } },
    ] as const;
    expect(matchesOf(host("native", route("a", match({ withoutHeaders }))))).toEqual([
      {
        prefix: "/",
        headers: [
          { name: "a", presentMatch: true, invertMatch: true },
          { name: "b", stringMatch: { exact: "1" }, invertMatch: true, treatMissingHeaderAsEmpty: true },
          { name: "c", presentMatch: true, invertMatch: true },
        ],
      },
    ]);
  });
});

describe("a virtual host decided by the router filter", () => {
  it("carries the whole list as rules, routes to be chosen, and what Envoy goes by until the filter is there", () => {
    const built = host(
      "filter",
      route(
        "0.0",
        match({
          path: { kind: "prefix", value: "/x" },
          headers: [{ name: "user", match: { kind: "exact", value: "a" } }],
          method: { kind: "exact", value: "GET" },
        }),
      ),
      route("1.0", match()),
    );
    expect(matchesOf(built)).toEqual([
      { prefix: "/x", filterState: [{ key: "wasm.scrim.route", stringMatch: { exact: "0.0" } }] },
      { prefix: "/", filterState: [{ key: "wasm.scrim.route", stringMatch: { exact: "1.0" } }] },
      {
        prefix: "/x",
        headers: [
          { name: ":method", stringMatch: { exact: "GET" } },
          { name: "user", stringMatch: { exact: "a" } },
        ],
      },
      { prefix: "/" },
    ]);
    const metadata = buildVirtualHost("80", built).metadata?.filterMetadata?.["scrim.router"];
    const { rules, id } = metadata as { readonly rules: string; readonly id: string };
    expect(JSON.parse(rules)).toEqual({
      routes: [
        { key: "0.0", match: { uri: { prefix: "/x" }, method: { exact: "GET" }, headers: { user: { exact: "a" } } } },
        { key: "1.0", match: {} },
      ],
    });
    expect(id).toMatch(/^[0-9a-f]{32}$/);
  });
});

describe("the host for names that nobody declares", () => {
  it.each([
    ["forward", "allow_any", "PassthroughCluster"],
    ["forwardByDns", "allow_any_dynamic_dns", "AllowAnyDynamicDNSCluster"],
    ["refuse", "block_all", undefined],
  ] as const)("is called as in Istio (%s)", (unknownHosts, name, cluster) => {
    const host = buildFallbackHost(unknownHosts);
    expect([host.name, host.routes?.map(({ route }) => route?.cluster)]).toEqual([name, [cluster, cluster]]);
    expect(unknownHostsClusters(unknownHosts).map((one) => one.name)).toEqual(cluster === undefined ? [] : [cluster]);
  });
});
