// What the router decides, as data: the same runs in the Wasm host and on a real Envoy.
import { createHash } from "node:crypto";
import type { Exchange, Scenario } from "proxy-wasm-host";

const hostWith = (rules: unknown): Pick<Scenario, "virtualHost"> => {
  const text = typeof rules === "string" ? rules : JSON.stringify(rules);
  return {
    virtualHost: {
      metadata: { "scrim.router": { id: createHash("sha256").update(text).digest("hex").slice(0, 32), rules: text } },
    },
  };
};
const chosen = (key: string, request: Omit<Exchange, "expect">): Exchange => ({
  ...request,
  expect: { status: 200, filterState: { "scrim.route": key } },
});
const module = "router";
const vmId = "router";
const configuration = {};

const matches = {
  routes: [
    { key: "jason", match: { headers: { "end-user": { exact: "jason" } } } },
    { key: "gold", match: { headers: { cookie: { regex: "^(.*?;\\s*)?(tier=gold)(;.*)?$" } } } },
    { key: "bytes", match: { headers: { "x-b": { regex: "\\C\\C|(?i)\\pL\\p{Nd}+" } } } },
    { key: "query", match: { uri: { prefix: "/q" }, queryParams: { v: { lines: "1\n2\n3" } } } },
    { key: "put", match: { method: { exact: "PUT" }, withoutHeaders: { "x-no": {} } } },
    { key: "beta", match: { claims: { "[groups]": { exact: "beta" } } } },
    { key: "not-anna", match: { uri: { prefix: "/claims" }, withoutClaims: { "[realm][user]": { exact: "anna" } } } },
    { key: "api", match: { uri: { prefix: "/api" } } },
  ],
};
const jwt = (payload: {
  readonly [name: string]: string | readonly string[] | { readonly [name: string]: string };
}): Pick<Exchange, "metadata"> => ({ metadata: { "envoy.filters.http.jwt_authn": { payload } } });
const tenants = {
  routes: [
    { key: "admin", match: { uri: { prefix: "/admin" } } },
    ...Array.from({ length: 50 }, (_, i) => ({
      key: `t${i}`,
      match: { headers: { "x-tenant": { exact: `tenant-${i}` } } },
    })),
    { key: "rest" },
  ],
};
const shares = (by: { readonly [source: string]: string }): unknown => ({
  routes: [
    {
      key: "any",
      split: {
        by,
        salt: "s",
        shares: [
          { key: "v1", id: "v1", weight: 50 },
          { key: "v2", id: "v2", weight: 50 },
        ],
      },
    },
  ],
});

export const scenarios: readonly Scenario[] = [
  {
    name: "first match wins",
    module,
    vmId,
    configuration,
    ...hostWith(matches),
    exchanges: [
      chosen("jason", { headers: { "end-user": "jason", cookie: "tier=gold" } }),
      chosen("jason", { name: "one of two values", headers: { "end-user": ["x", "jason"] } }),
      chosen("none", { name: "values are not joined", headers: { "end-user": "x,jason" } }),
      chosen("gold", { headers: { cookie: "a=b; tier=gold" } }),
      chosen("bytes", { name: "two bytes", headers: { "x-b": "\xc3\xa9" } }),
      chosen("bytes", { name: "a letter and digits", headers: { "x-b": "\xe942" } }),
      chosen("query", { path: "/q?v=2" }),
      chosen("none", { path: "/q?v=4&v=1" }),
      chosen("put", { method: "PUT" }),
      chosen("none", { method: "PUT", headers: { "x-no": "" } }),
      chosen("beta", { name: "a claim", ...jwt({ sub: "a", groups: ["alpha", "beta"] }) }),
      chosen("none", {
        name: "a claim that is only claimed",
        headers: { groups: "beta", "x-jwt-payload": "eyJncm91cHMiOlsiYmV0YSJdfQ" },
      }),
      chosen("not-anna", { path: "/claims", ...jwt({ realm: { user: "bert" } }) }),
      chosen("not-anna", { path: "/claims" }),
      chosen("none", { name: "anna", path: "/claims", ...jwt({ realm: { user: "anna" } }) }),
      chosen("api", {
        name: "no client makes the choice",
        path: "/api?scrim.route=jason",
        headers: { "scrim.route": "jason", "wasm.scrim.route": "jason", "x-scrim-route": "jason" },
      }),
    ],
    metrics: { scrim_router_matched_total: 11, scrim_router_unmatched_total: 5 },
    logged: [/router: [0-9a-f]{32} jason tried 1 of 8/],
  },
  {
    name: "a table of tenants",
    module,
    vmId,
    configuration,
    ...hostWith(tenants),
    exchanges: [
      chosen("t7", { headers: { "x-tenant": "tenant-7" } }),
      chosen("admin", { path: "/admin/x", headers: { "x-tenant": "tenant-7" } }),
      chosen("rest", { headers: { "x-tenant": "tenant-50" } }),
    ],
    logged: [/ t7 tried 2 of 52/, / rest tried 2 of 52/],
  },
  {
    name: "shares by header",
    module,
    vmId,
    configuration,
    ...hostWith(shares({ header: "x-user" })),
    exchanges: [
      ...["anna", "bert", "carl", "dora", "emil"].map((user, i) =>
        chosen(["v1", "v2", "v2", "v2", "v2"][i] ?? "", { name: user, headers: { "x-user": user } }),
      ),
      chosen("any", { name: "nobody" }),
    ],
  },
  {
    name: "shares by claim",
    module,
    vmId,
    configuration,
    ...hostWith(shares({ claim: "[sub]" })),
    exchanges: [
      chosen("v1", { name: "anna", ...jwt({ sub: "anna" }) }),
      chosen("any", { name: "a header says anna", headers: { sub: "anna" } }),
    ],
  },
  {
    name: "a mistake matches nothing",
    module,
    vmId,
    configuration,
    ...hostWith({ routes: [{ key: "a", match: { headers: { x: { regex: "(" } } } }] }),
    exchanges: [chosen("none", { headers: { x: "(" } })],
    metrics: { scrim_router_refused_total: 1 },
    logged: ["routes[0].match.headers.x.regex: missing )"],
  },
  {
    name: "a host without rules",
    module,
    vmId,
    configuration,
    exchanges: [{ expect: { status: 200, filterState: { "scrim.route": null } } }],
  },
  { name: "a configuration", module, configuration: { routes: [] }, refused: /routes: unknown field/, exchanges: [] },
];
