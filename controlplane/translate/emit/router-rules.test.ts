import { describe, expect, it } from "vitest";
import type { Route, Target } from "../ir/routes.ts";
import { buildRouterRules, choosableRoutes } from "./router-rules.ts";

const none = { set: [], add: [], remove: [] };
const target = (subset: string, weight = 1): Target => ({
  upstream: { direction: "outbound", port: 80, subset, host: "web" },
  weight,
  requestHeaders: none,
  responseHeaders: none,
});
const route = (
  key: string,
  targets: readonly Target[],
  headers: Record<string, string>,
  more: Partial<Route> = {},
): Route => ({
  name: "default",
  key,
  requestHeaders: none,
  responseHeaders: none,
  match: {
    ignoreCase: false,
    headers: Object.entries(headers).map(([name, value]) => ({ name, match: { kind: "exact", value } })),
    withoutHeaders: [],
    queryParameters: [],
  },
  action: { kind: "forward", targets, mirrors: [], hashes: [] },
  ...more,
});
const rulesOf = (routes: readonly Route[]): unknown => JSON.parse(String(buildRouterRules(routes)["rules"]));

describe("router rules", () => {
  it("hold a large table of tenants as one rule for each place they go to", () => {
    const routes = Array.from({ length: 10_000 }, (_, i) =>
      route(`${i}.0`, [target(`v${i % 3}`)], { "x-tenant": `t${i}` }),
    );
    const { routes: rules } = rulesOf([...routes, route("10000.0", [target("v9")], {})]) as {
      routes: { key: string; match: { headers?: Record<string, { lines: string }> } }[];
    };
    expect(rules.map(({ key }) => key)).toEqual(["0.0", "1.0", "2.0", "10000.0"]);
    expect(rules[1]?.match.headers?.["x-tenant"]?.lines.split("\n").slice(0, 3)).toEqual(["t1", "t4", "t7"]);
    expect(choosableRoutes(routes).map(({ key }) => key)).toEqual(["0.0", "1.0", "2.0"]);
  });

  it("keep the order of everything else, and the first of two rules for one value", () => {
    const between = route("2.0", [target("v1")], { "x-tenant": "b", "x-admin": "yes" });
    expect(
      rulesOf([
        route("0.0", [target("v1")], { "x-tenant": "a" }),
        route("1.0", [target("v2")], { "x-tenant": "a" }),
        between,
        route("3.0", [target("v1")], { "x-tenant": "b" }),
      ]),
    ).toEqual({
      routes: [
        { key: "0.0", match: { headers: { "x-tenant": { exact: "a" } } } },
        { key: "0.0", match: { headers: { "x-tenant": { exact: "b" }, "x-admin": { exact: "yes" } } } },
        { key: "0.0", match: { headers: { "x-tenant": { exact: "b" } } } },
      ],
    });
  });

  it("draw a share of a sticky route, and have a route for each", () => {
    const sticky = route(
      "0.0",
      [target("v1", 90), target("v2", 10)],
      {},
      { sticky: { by: { header: "x-user" }, salt: "default/web" } },
    );
    expect(rulesOf([sticky])).toEqual({
      routes: [
        {
          key: "0.0",
          match: {},
          split: {
            by: { header: "x-user" },
            salt: "default/web",
            shares: [
              { key: "0.0/0", id: "outbound|80|v1|web", weight: 90 },
              { key: "0.0/1", id: "outbound|80|v2|web", weight: 10 },
            ],
          },
        },
      ],
    });
    expect(
      choosableRoutes([sticky]).map(({ key, action }) => [
        key,
        action.kind === "forward" && action.targets.map(({ upstream }) => upstream.subset),
      ]),
    ).toEqual([
      ["0.0/0", ["v1"]],
      ["0.0/1", ["v2"]],
      ["0.0", ["v1", "v2"]],
    ]);
  });
});
