// What limits decide, as data: run in the Wasm host and on a real Envoy. Intervals are long: no token comes back while
// a scenario runs.
import type { Exchange, FilterMetadata, Scenario } from "proxy-wasm-host";
import { requests } from "./scenarios/matches.ts";
import { services } from "./scenarios/service.ts";
import { HOUR, type Request, admitted, limits, one, refused, scenario, user } from "./scenarios/words.ts";

const WEB = "spiffe://cluster.local/ns/shop/sa/web";
const ORDERS = "spiffe://cluster.local/ns/shop/sa/orders";
const ADMIN = "spiffe://cluster.local/ns/ops/sa/web";

/** Each request once and then again: admitted, refused; so that all have buckets of their own. */
const eachOnce = (...requests: Request[]): Exchange[] => [
  ...requests.map(admitted),
  ...requests.map((request) => refused(request)),
];

const by = (identity: string): Request => ({ peer: { identity } });

const token = (payload: FilterMetadata[string]): Request => ({
  metadata: { "envoy.filters.http.jwt_authn": { payload } },
});

const own: readonly Scenario[] = [
  scenario(
    "a bucket, its cost and its counts",
    limits(one({ tokens: 7, cost: 3 })),
    [admitted(), admitted(), refused()],
    {
      metrics: {
        scrim_ratelimit_allowed_total: 2,
        scrim_ratelimit_denied_total: 1,
        scrim_ratelimit_contended_total: 0,
        scrim_ratelimit_evicted_total: 0,
      },
      logged: ["ratelimit: admitted, limits that matched: 1", "ratelimit: over l"],
    },
  ),
  scenario("gRPC requests get RESOURCE_EXHAUSTED", limits(one()), [
    admitted({ method: "POST", headers: { "content-type": "application/grpc" } }),
    {
      method: "POST",
      headers: { "content-type": "application/grpc" },
      expect: {
        status: 200,
        headers: { "grpc-status": "8", "grpc-message": "local_rate_limited", "x-envoy-ratelimited": "true" },
        upstream: null,
      },
    },
  ]),
  scenario("shadow", limits(one({ shadow: true })), [admitted(), admitted(), admitted()], {
    metrics: {
      scrim_ratelimit_allowed_total: 3,
      scrim_ratelimit_shadow_denied_total: 2,
      scrim_ratelimit_denied_total: 0,
    },
    logged: ["ratelimit: would refuse (shadow), over l"],
  }),
  scenario(
    "every limit that matches must admit, and a refusal costs the others nothing",
    limits(one({ name: "wide", tokens: 4 }), one({ name: "narrow", match: { paths: ["/narrow/{*}"] }, tokens: 2 })),
    [
      admitted({ path: "/narrow/1" }),
      admitted({ path: "/narrow/2?q" }),
      refused({ path: "/narrow/3" }, "narrow"),
      refused({ path: "/narrow/4" }, "narrow"),
      admitted({ path: "/" }),
      admitted({ path: "/narrow/a/b" }),
      refused({ path: "/" }, "wide"),
    ],
  ),
  scenario(
    "admitted responses tell RateLimit and RateLimit-Policy",
    { ...limits(one({ tokens: 1_000_000_000, intervalMs: 1000 })), headers: "draft" },
    [
      {
        expect: {
          status: 200,
          headers: { ratelimit: '"l";r=999999999;t=1', "ratelimit-policy": '"l";q=1000000000;w=1' },
        },
      },
    ],
  ),
  scenario(
    "what upstream says of its own limits stays beside ours",
    { ...limits(one({ tokens: 1_000_000_000, intervalMs: 1000 })), headers: "draft" },
    [
      {
        upstream: { headers: { ratelimit: '"theirs";r=3;t=9' } },
        expect: { status: 200, headers: { ratelimit: '"theirs";r=3;t=9,"l";r=999999999;t=1' } },
      },
    ],
  ),
  scenario("the older headers", { ...limits(one({ tokens: 1_000_000_000, intervalMs: 1000 })), headers: "legacy" }, [
    {
      expect: {
        status: 200,
        headers: { "x-ratelimit-limit": "1000000000", "x-ratelimit-remaining": "999999999", "x-ratelimit-reset": "1" },
      },
    },
  ]),
];

const keyed = (...key: object[]): object => limits(one({ key }));

const keys: readonly Scenario[] = [
  scenario("key: header, all values of it; absent is empty", keyed({ header: "X-User" }), [
    ...eachOnce(user("a"), user("b"), user("a", "b"), {}),
    refused(user("")),
  ]),
  scenario("key: principal", keyed({ source: "principal" }), [
    ...eachOnce(by(WEB), by(ADMIN), {}),
    refused({ headers: { "x-forwarded-client-cert": `URI=${ORDERS}` } }),
  ]),
  scenario("key: namespace", keyed({ source: "namespace" }), [...eachOnce(by(WEB), by(ADMIN)), refused(by(ORDERS))]),
  scenario("key: service account", keyed({ source: "serviceAccount" }), [
    ...eachOnce(by(WEB), by(ORDERS)),
    refused(by(ADMIN)),
  ]),
  scenario(
    "key: address of the connection",
    keyed({ source: "ip" }),
    [
      ...eachOnce({ peer: { address: "10.0.0.1", port: 1111 } }, { peer: { address: "2001:db8::1" } }),
      refused({ peer: { address: "10.0.0.1", port: 2222 } }),
      refused({ peer: { address: "10.0.0.1" }, headers: { "x-forwarded-for": "192.0.2.1" } }),
    ],
    { peerAddressStates: ["scrim.peer_address"] },
  ),
  scenario("key: address that forwarding headers tell", keyed({ source: "remoteIp" }), [
    ...eachOnce(
      { peer: { address: "10.0.0.1" }, headers: { "x-forwarded-for": "192.0.2.1" } },
      { peer: { address: "10.0.0.1" }, headers: { "x-forwarded-for": "192.0.2.2" } },
    ),
    refused({ peer: { address: "10.0.0.2" }, headers: { "x-forwarded-for": "192.0.2.1" } }),
  ]),
  scenario("key: path", keyed({ path: true }), [
    ...eachOnce({ path: "/a?x" }, { path: "/b" }),
    refused({ path: "/a?y" }),
  ]),
  scenario("key: the template that matches", keyed({ pathTemplate: ["/users/{*}", "/files/{**}"] }), [
    ...eachOnce({ path: "/users/1" }, { path: "/files/a/b" }, { path: "/other" }),
    refused({ path: "/users/2" }),
    refused({ path: "/files/c" }),
    refused({ path: "/users/1/x" }),
    refused({ path: "/users/*" }),
  ]),
  scenario("key: what a template captures", keyed({ pathCapture: "/t/{*}/{**}" }), [
    ...eachOnce({ path: "/t/red/a" }, { path: "/t/blue/a" }, { path: "/other" }),
    refused({ path: "/t/red/b/c" }),
    refused({ path: "/t/green" }),
    refused({ path: "/t/red/[x]*" }),
  ]),
  scenario("key: claim", keyed({ claim: "sub" }), [
    ...eachOnce(token({ sub: "ann" }), token({ sub: "bob" }), {}),
    refused(token({ iss: "x" })),
  ]),
  scenario(
    "key: claim inside another",
    keyed({ claim: ["realm", "tier"] }),
    eachOnce(
      token({ realm: { tier: "gold" } }),
      token({ realm: { tier: 7 } }),
      token({ realm: { tier: 8 } }),
      token({ realm: { tier: ["a", "b"] } }),
    ),
  ),
  scenario("key: route", keyed({ route: true }), [admitted(), refused()], { route: { name: "checkout" } }),
  scenario(
    "key: several parts do not run together",
    keyed({ header: "a" }, { header: "b" }),
    eachOnce({ headers: { a: "xy", b: "z" } }, { headers: { a: "x", b: "yz" } }, { headers: { a: "xyz" } }),
  ),
];

const overrides = (...list: object[]): object =>
  limits(
    one({
      key: [{ header: "tier" }, { header: "x-user" }],
      overrides: list.map((each) => ({ tokens: 2, intervalMs: HOUR, ...each })),
    }),
  );

const tier = (name: string, who: string): Request => ({ headers: { tier: name, "x-user": who } });

const exceptions: readonly Scenario[] = [
  scenario(
    "override: by identity, each with a bucket of its own",
    overrides(
      { name: "a", principals: ["cluster.local/ns/shop/sa/w*"] },
      { name: "b", principals: ["cluster.local/ns/shop/sa/w*", "cluster.local/ns/shop/sa/orders"] },
    ),
    [
      admitted(by(WEB)),
      admitted(by(WEB)),
      refused(by(WEB)),
      admitted(by(ORDERS)),
      admitted(by(ORDERS)),
      refused(by(ORDERS)),
      admitted(by(ADMIN)),
      refused(by(ADMIN)),
    ],
    { logged: ["ratelimit: over l/a", "ratelimit: over l/b"] },
  ),
  scenario(
    "override: by the key's values, one bucket or one for each key",
    overrides({ name: "gold", values: ["gold*", "*"], perKey: true }, { name: "silver", values: ["silver", "*"] }),
    [
      ...["ann", "bob"].flatMap((who) => [
        admitted(tier("gold", who)),
        admitted(tier("gold", who)),
        refused(tier("gold", who)),
      ]),
      admitted(tier("silver", "ann")),
      admitted(tier("silver", "bob")),
      refused(tier("silver", "cid")),
      admitted(tier("bronze", "ann")),
      refused(tier("bronze", "ann")),
      admitted(tier("bronze", "bob")),
    ],
  ),
  scenario(
    "cost by header, within bounds; nonsense costs the most",
    limits(one({ tokens: 20, cost: { header: "X-Cost", default: 2, min: 1, max: 9 } })),
    [
      admitted(),
      admitted({ headers: { "x-cost": "3" } }),
      admitted({ headers: { "x-cost": "100" } }),
      admitted({ headers: { "x-cost": "0" } }),
      refused({ headers: { "x-cost": "many" } }),
      refused({ headers: { "x-cost": ["1", "1"] } }),
      admitted({ headers: { "x-cost": "5" } }),
      refused(),
    ],
  ),
  scenario("cost 0 is free", limits(one({ cost: { header: "x-cost", min: 0, max: 1 } })), [
    admitted({ headers: { "x-cost": "0" } }),
    admitted({ headers: { "x-cost": "0" } }),
    admitted(),
    admitted({ headers: { "x-cost": "0" } }),
    refused(),
  ]),
];

const refusals: readonly (readonly [configuration: object, message: RegExp])[] = [
  [
    limits({ name: "l", tokens: 1, intervalMs: 1, global: { cluster: "c", domain: "d", failure: "open" } }),
    /limits\[0\]\.tokens: the rate limit service decides this limit/,
  ],
  [
    limits({ name: "l", global: { cluster: "c", domain: "d", failure: "local" } }),
    /limits\[0\]\.tokens: expected a whole number/,
  ],
  [
    limits({ name: "l", global: { cluster: "c", failure: "open" } }),
    /limits\[0\]\.global\.domain: expected a string, but it is missing/,
  ],
  [
    limits({ name: "l", global: { cluster: "c", domain: "d", failure: "ajar" } }),
    /limits\[0\]\.global\.failure: expected open, closed or local/,
  ],
  [
    limits(one({ key: [{ pathCapture: "/a/{**}" }] })),
    /limits\[0\]\.key\[0\]\.pathCapture: expected a template with \{\*\}/,
  ],
  [
    limits(one({ key: [{ pathTemplate: ["/{**}/{*}"] }] })),
    /limits\[0\]\.key\[0\]\.pathTemplate\[0\]: nothing but literal segments/,
  ],
  [limits(one({ key: [{ claim: [] }] })), /limits\[0\]\.key\[0\]\.claim: expected a claim's name/],
  [limits(one({ cost: { header: "c", max: 2 } })), /limits\[0\]\.cost: is over the bucket's size/],
  [limits(one({ cost: { header: "c" } })), /limits\[0\]\.cost\.max: expected a whole number/],
  [
    limits(
      one({
        overrides: [
          { name: "o", principals: ["a"], tokens: 1, intervalMs: 1 },
          { name: "o", principals: ["b"], tokens: 1, intervalMs: 1 },
        ],
      }),
    ),
    /limits\[0\]\.overrides\[1\]\.name: used by another override/,
  ],
  [
    limits(one({ overrides: [{ name: "o", values: ["a"], tokens: 1, intervalMs: 1 }] })),
    /limits\[0\]\.overrides\[0\]\.values: expected one pattern for each part of the key \(0\)/,
  ],
];

/** All of them; each has a VM and shared data of its own. */
export const scenarios: readonly Scenario[] = [
  ...own,
  ...keys,
  ...exceptions,
  ...services,
  ...requests,
  ...refusals.map(
    ([configuration, message]): Scenario => ({
      name: `refuses configuration ${message.source.replaceAll(/[^a-zA-Z ]+/g, " ").trim()}`,
      module: "ratelimit",
      configuration,
      exchanges: [],
      refused: message,
    }),
  ),
];
