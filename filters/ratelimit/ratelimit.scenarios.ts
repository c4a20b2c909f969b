// What limits decide, as data: run in the Wasm host and on a real Envoy. Intervals are long: no token comes back while
// a scenario runs.
import type { CalloutAnswer, Exchange, FilterMetadata, Scenario } from "proxy-wasm-host";

const HOUR = 3_600_000;
const WEB = "spiffe://cluster.local/ns/shop/sa/web";
const ORDERS = "spiffe://cluster.local/ns/shop/sa/orders";
const ADMIN = "spiffe://cluster.local/ns/ops/sa/web";

type Request = Omit<Exchange, "expect">;

const admitted = (request: Request = {}): Exchange => ({
  ...request,
  expect: { status: 200, details: "via_upstream", headers: { "x-envoy-ratelimited": null } },
});
const refused = (request: Request = {}, limit = "l"): Exchange => ({
  ...request,
  expect: {
    status: 429,
    details: `scrim_rate_limited[${limit}]`,
    body: "local_rate_limited",
    headers: { "retry-after": /^[1-9]\d*$/, "x-envoy-ratelimited": "true" },
    upstream: null,
  },
});
/** Each request once and then again: admitted, refused; so that all have buckets of their own. */
const eachOnce = (...requests: Request[]): Exchange[] => [
  ...requests.map(admitted),
  ...requests.map((request) => refused(request)),
];

const limits = (...list: object[]): object => ({ limits: list });
const one = (more: object = {}): object => ({ name: "l", tokens: 1, intervalMs: HOUR, ...more });
const scenario = (
  name: string,
  configuration: object,
  exchanges: readonly Exchange[],
  more: Partial<Scenario> = {},
): Scenario => ({ name, module: "ratelimit", configuration, exchanges, ...more });
const user = (...values: string[]): Request => ({ headers: { "x-user": values } });
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

const OK = 1,
  OVER = 2;
const varint = (value: number): number[] =>
  value > 127 ? [(value & 127) | 128, ...varint(Math.floor(value / 128))] : [value];
const part = (tag: number, bytes: readonly number[]): number[] => [tag, ...varint(bytes.length), ...bytes];

/** A RateLimitResponse; `left` and `limit` (per hour) as the service's status of the one descriptor. */
export function serviceAnswer(
  code: number,
  status?: { readonly limit: number; readonly left: number; readonly resetSeconds?: number },
): CalloutAnswer & { readonly grpcMessage: Uint8Array } {
  const limit = status && part(0x12, [0x08, ...varint(status.limit), 0x10, 3]);
  const reset = status?.resetSeconds === undefined ? [] : part(0x22, [0x08, ...varint(status.resetSeconds)]);
  const statuses =
    status && limit
      ? part(0x12, [0x08, code, ...limit, ...(status.left > 0 ? [0x18, ...varint(status.left)] : []), ...reset])
      : [];
  return { grpcMessage: Uint8Array.from([0x08, code, ...statuses]) };
}

const PATH = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";
const asked = { cluster: "rls", headers: { ":path": PATH } };
const shared = (failure: string, more: object = {}, global: object = {}): object =>
  limits({
    name: "l",
    key: [{ header: "x-user", as: "user" }],
    global: { cluster: "rls", domain: "shop", timeoutMs: 5000, stalenessMs: HOUR, failure, ...global },
    ...more,
  });
const refusedByService = (request: Request = {}): Exchange => ({
  ...request,
  expect: {
    status: 429,
    details: "scrim_rate_limited[l]",
    body: "rate_limited",
    headers: { "retry-after": /^[1-9]\d*$/, "x-envoy-ratelimited": "true" },
    upstream: null,
  },
});
const asking = (exchange: Exchange, count = 1): Exchange => ({
  ...exchange,
  expect: { ...exchange.expect, callouts: Array.from({ length: count }, () => asked) },
});

const services: readonly Scenario[] = [
  scenario(
    "service: it decides, and its refusal counts for later requests",
    shared("closed"),
    [asking(admitted()), asking(refusedByService()), asking(refusedByService(), 0)],
    {
      callouts: { rls: [serviceAnswer(OK, { limit: 1, left: 0 }), serviceAnswer(OVER)] },
      metrics: {
        scrim_ratelimit_allowed_total: 1,
        scrim_ratelimit_denied_total: 2,
        scrim_ratelimit_global_calls_total: 2,
        scrim_ratelimit_global_failures_total: 0,
      },
    },
  ),
  scenario(
    "service: tokens are taken ahead, and not every request asks",
    shared("closed"),
    [asking(admitted()), asking(admitted()), ...Array.from({ length: 11 }, () => asking(admitted(), 0))],
    { callouts: { rls: [serviceAnswer(OK, { limit: 100, left: 99 }), serviceAnswer(OK, { limit: 100, left: 0 })] } },
  ),
  scenario(
    "service: each key is asked about",
    shared("open"),
    [
      asking(admitted(user("a"))),
      asking(refusedByService(user("b"))),
      asking(refusedByService(user("b")), 0),
      asking(admitted(user("c"))),
    ],
    { callouts: { rls: [serviceAnswer(OK), serviceAnswer(OVER), serviceAnswer(OK)] } },
  ),
  scenario(
    "service: gRPC requests get RESOURCE_EXHAUSTED",
    shared("open"),
    [
      {
        method: "POST",
        headers: { "content-type": "application/grpc" },
        expect: { status: 200, headers: { "grpc-status": "8" }, upstream: null },
      },
    ],
    { callouts: { rls: [serviceAnswer(OVER)] } },
  ),
  scenario("service: it fails, the mode is open", shared("open"), [asking(admitted()), asking(admitted(), 0)], {
    callouts: { rls: [{ grpcStatus: 14 }] },
    metrics: { scrim_ratelimit_global_failures_total: 1 },
    logged: ["ratelimit: no answer from the rate limit service about l"],
  }),
  scenario(
    "service: it fails, the mode is closed",
    shared("closed"),
    [
      {
        expect: {
          status: 503,
          details: "scrim_rate_limit_service_unavailable",
          body: "rate limit service unavailable",
          upstream: null,
        },
      },
      {
        headers: { "content-type": "application/grpc" },
        method: "POST",
        expect: { status: 200, headers: { "grpc-status": "14" }, upstream: null },
      },
    ],
    { callouts: { rls: [{ grpcStatus: 13 }] } },
  ),
  scenario(
    "service: it fails, the limit's own bucket decides",
    shared("local", { tokens: 2, intervalMs: HOUR }),
    [asking(admitted()), asking(admitted(), 0), refused(), asking(admitted(user("b")))],
    { callouts: { rls: [{ grpcStatus: 14 }] } },
  ),
  scenario("service: an answer that is none is a failure", shared("closed"), [{ expect: { status: 503 } }], {
    callouts: { rls: [{ grpcMessage: Uint8Array.of(0x12, 0x7f, 0x01) }] },
  }),
  scenario(
    "service: own limits come first, and get back what it refuses",
    limits(...(shared("closed") as { limits: object[] }).limits, one({ name: "own", tokens: 2 })),
    [
      asking(refusedByService()),
      asking(refusedByService(), 0),
      admitted(user("b")),
      admitted(user("c")),
      refused(user("d"), "own"),
    ],
    { callouts: { rls: [serviceAnswer(OVER), serviceAnswer(OK)] } },
  ),
  scenario("service: shadow never holds a request", shared("closed", { shadow: true }), [admitted(), admitted()], {
    callouts: { rls: [serviceAnswer(OVER)] },
  }),
  scenario(
    "service: its numbers are told",
    { ...shared("open"), headers: "legacy" },
    [{ expect: { status: 200, headers: { "x-ratelimit-limit": "100", "x-ratelimit-remaining": "41" } } }],
    { callouts: { rls: [serviceAnswer(OK, { limit: 100, left: 41 })] } },
  ),
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
