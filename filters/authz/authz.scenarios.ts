// What policies decide, as data: run in the Wasm host, on a real Envoy, and by Envoy's own RBAC
// (test/e2e/security/engines.test.ts), which must decide alike.
import type { Exchange, FilterMetadata, Scenario } from "proxy-wasm-host";

const ORDERS = "spiffe://cluster.local/ns/shop/sa/orders";
const orders = { peer: { identity: ORDERS } };

/**
 * A request, and whether the rule matches it: as one that lets in, and as one that keeps out (which counts every way a
 * request can be read).
 */
type Case = readonly [request: Omit<Exchange, "expect">, letsIn: boolean, keepsOut?: boolean];

interface Field {
  readonly name: string;
  readonly rule: object;
  /**
   * Envoy's RBAC could not tell: the control plane leaves the policy in the Wasm filter. `ALLOW` or `DENY`: only such a
   * policy.
   */
  readonly wasmOnly?: "ALLOW" | "DENY";
  readonly cases: readonly Case[];
}

const from = (name: string, source: object, cases: readonly Case[]): Field => ({
  name,
  rule: { from: [source] },
  cases,
});
const to = (name: string, operation: object, cases: readonly Case[]): Field => ({
  name,
  rule: { to: [operation] },
  cases,
});
const when = (key: string, condition: object, cases: readonly Case[], wasmOnly?: Field["wasmOnly"]): Field => ({
  name: `${key} ${JSON.stringify(condition)}`,
  rule: { when: [{ key, ...condition }] },
  cases,
  ...(wasmOnly && { wasmOnly }),
});
const path = (text: string): Omit<Exchange, "expect"> => ({ name: text, path: text });
const host = (text: string): Omit<Exchange, "expect"> => ({ name: text, headers: { ":authority": text } });
const roles = (...values: string[]): Omit<Exchange, "expect"> => ({
  name: values.join(" | ") || "none",
  ...(values.length > 0 && { headers: { "x-role": values } }),
});
const token = (payload: FilterMetadata[string]): Omit<Exchange, "expect"> => ({
  name: JSON.stringify(payload),
  metadata: { "envoy.filters.http.jwt_authn": { payload } },
});
const address = (text: string): Omit<Exchange, "expect"> => ({ name: text, peer: { address: text } });
const both = (
  matching: readonly Omit<Exchange, "expect">[],
  others: readonly Omit<Exchange, "expect">[],
): readonly Case[] => [...matching.map((one): Case => [one, true]), ...others.map((one): Case => [one, false])];

const sources: readonly Field[] = [
  from(
    "principal",
    { principals: ["cluster.local/ns/shop/sa/orders"] },
    both(
      [orders],
      [{}, { peer: { identity: `${ORDERS}2` } }, { headers: { "x-forwarded-client-cert": `URI=${ORDERS}` } }],
    ),
  ),
  from(
    "principals by prefix and suffix",
    { principals: ["cluster.local/ns/shop/*", "*/sa/admin"] },
    both(
      [orders, { peer: { identity: "spiffe://other/ns/a/sa/admin" } }],
      [{}, { peer: { identity: "spiffe://cluster.local/ns/shopping/sa/x" } }],
    ),
  ),
  from("any principal", { principals: ["*"] }, both([orders], [{}, { peer: { sni: "a.test" } }])),
  from("no principal", { notPrincipals: ["*"] }, both([{}], [orders])),
  from(
    "namespaces",
    { namespaces: ["shop", "a*"] },
    both(
      [orders, { peer: { identity: "spiffe://t/ns/ab/sa/x" } }],
      [
        {},
        { peer: { identity: "spiffe://t/ns/shopping/sa/x" } },
        { peer: { identity: "spiffe://t/ns/evil/sa/x/ns/shop/sa/y" } },
      ],
    ),
  ),
  from(
    "namespace a.b",
    { namespaces: ["a.b"] },
    both([{ peer: { identity: "spiffe://t/ns/a.b/sa/x" } }], [{ peer: { identity: "spiffe://t/ns/aXb/sa/x" } }]),
  ),
  from(
    "service accounts",
    { serviceAccounts: ["shop/orders", "shop/a.b"] },
    both(
      [orders],
      [{ peer: { identity: "spiffe://t/ns/shop/sa/aXb" } }, { peer: { identity: "spiffe://t/ns/other/sa/orders" } }],
    ),
  ),
  from(
    "ipBlocks",
    { ipBlocks: ["10.0.0.0/8", "2001:db8::/32"] },
    both(
      [
        address("10.1.2.3"),
        address("2001:db8::7"),
        { ...address("10.1.2.3"), headers: { "x-forwarded-for": "192.0.2.1" } },
      ],
      [address("11.1.2.3"), { ...address("11.1.2.3"), headers: { "x-forwarded-for": "10.1.2.3" } }],
    ),
  ),
  from(
    "remoteIpBlocks",
    { remoteIpBlocks: ["10.0.0.0/8"] },
    both(
      [address("10.1.2.3"), { ...address("11.1.2.3"), headers: { "x-forwarded-for": "10.1.2.3" } }],
      [address("11.1.2.3"), { ...address("10.1.2.3"), headers: { "x-forwarded-for": "192.0.2.1" } }],
    ),
  ),
  from(
    "two fields",
    { principals: ["*"], notIpBlocks: ["10.0.0.0/8"] },
    both(
      [{ peer: { identity: ORDERS, address: "11.1.2.3" } }],
      [{ peer: { identity: ORDERS, address: "10.1.2.3" } }, address("11.1.2.3")],
    ),
  ),
  from(
    "request principals",
    { requestPrincipals: ["https://login.test/alice", "https://b/*", "*/root"] },
    both(
      [
        token({ iss: "https://login.test", sub: "alice" }),
        token({ iss: "https:", sub: "/login.test/alice" }),
        token({ iss: "https://b", sub: "x/y" }),
        token({ iss: "https://b/c", sub: "d" }),
        token({ iss: "x", sub: "root" }),
        token({ iss: "x", sub: "a/root" }),
      ],
      [
        {},
        token({ iss: "https://login.test" }),
        token({ sub: "alice" }),
        token({ iss: "https://login.test", sub: "bob" }),
        token({ iss: "https://b", sub: "" }),
        token({ iss: ["https://login.test"], sub: "alice" }),
        token({ iss: "", sub: "root" }),
      ],
    ),
  ),
  from(
    "any request principal",
    { requestPrincipals: ["*"] },
    both(
      [token({ iss: "a", sub: "b" })],
      [
        {},
        token({ iss: "a" }),
        token({ iss: "a", sub: 5 }),
        { headers: { authorization: "Bearer eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4Iiwic3ViIjoieSJ9." } },
      ],
    ),
  ),
  from(
    "no request principal",
    { notRequestPrincipals: ["*"] },
    both([{}, token({ iss: "a" })], [token({ iss: "a", sub: "b" })]),
  ),
];

const operations: readonly Field[] = [
  to("methods", { methods: ["GET", "P*"] }, both([{}, { method: "POST" }, { method: "PUT" }], [{ method: "DELETE" }])),
  to("notMethods", { notMethods: ["GET"] }, both([{ method: "PUT" }], [{}])),
  to(
    "ports",
    { ports: ["8080"] },
    both(
      [{ peer: { destination: { address: "10.0.0.1", port: 8080 } } }],
      [{ peer: { destination: { address: "10.0.0.1", port: 80 } } }],
    ),
  ),
  to(
    "paths",
    { paths: ["/a", "/p/*", "*.js"] },
    both(
      [path("/a"), path("/a?b=/c"), path("/p/x"), path("/p/"), path("/x.js?v=1")],
      [path("/A"), path("/ab"), path("/p"), path("/x.jsx")],
    ),
  ),
  to("any path", { paths: ["*"] }, both([path("/"), path("/x")], [])),
  to(
    "path templates",
    { paths: ["/a/{*}/c", "/r/{**}", "/s/{**}/end"] },
    both(
      [path("/a/b/c?d"), path("/r/x/y"), path("/r/"), path("/s/x/y/end")],
      [path("/a/b/d"), path("/a/b/b/c"), path("/a//c"), path("/r"), path("/s/x/y")],
    ),
  ),
  to("a path that can be read in two ways", { paths: ["/admin", "/a:b"] }, [
    [path("/admin"), true],
    [path("/admin;x"), false, true],
    [path("/admin%3bx=1;y"), false, true],
    [path("/admin%23x"), false, true],
    [path("/admin%3Fx"), false, true],
    [path("/admin%20%0a"), false, true],
    [path("/%61dmin"), false, true],
    [path("/;x/admin"), false, true],
    [path("/x/..;/admin"), false, true],
    [path("/a%3ab"), false, true],
    [path("/a%3Ab"), false, true],
    [path("/%2561dmin"), false],
    [path("/admin%"), false],
    [path("/x;/admin"), false],
    [path("/admin/x"), false],
  ]),
  to("a path that is not to be", { notPaths: ["/admin"] }, [
    [path("/x"), true],
    [path("/admin"), false],
    [path("/admin;x"), false, true],
    [path("/%61dmin"), false, true],
  ]),
  to("a template that can be read in two ways", { paths: ["/admin/{*}"] }, [
    [path("/admin/x"), true],
    [path("/admin;a/x;b"), false, true],
    [path("/admin/x%2fy"), true],
    [path("/admin/a*b"), false, true],
    [path("/admin/[x]"), false, true],
    [path("/admin/"), false],
    [path("/admin/*/x"), false],
  ]),
  to("a template's rest that can be read in two ways", { paths: ["/r/{**}", "/s/{**}/end"] }, [
    [path("/r/x/y"), true],
    [path("/r/*"), false, true],
    [path("/r/x/[y]"), false, true],
    [path("/s/*/end"), false, true],
    [path("/s/*/y"), false],
  ]),
  to("a prefix that can be read in two ways", { paths: ["/admin/*"] }, [
    [path("/admin/x"), true],
    [path("/x/..;/admin/y"), false, true],
    [path("/;/admin/y"), false, true],
    [path("/admi%6e/y"), false, true],
    [path("/administrator"), false],
  ]),
  to("hosts", { hosts: ["a.test", "*.b.test", "c*"] }, [
    [host("a.test"), true],
    [host("A.TEST"), true],
    [host("x.b.test"), true],
    [host("c.test"), true],
    [host("d.test"), false],
    [host("a.test:80"), false, true],
    [host("a.test."), false, true],
    [host("a.test.:80"), false, true],
    [host("x.b.test:80"), false, true],
    [host("d.test,a.test"), false, true],
    [host("a.test,d.test"), false, true],
    [host("u@a.test"), false, true],
  ]),
  to("hosts that are not to be", { notHosts: ["a.test"] }, [
    [host("d.test"), true],
    [host("a.test"), false],
    [host("a.test:80"), false, true],
    [host("d.test,a.test"), false, true],
  ]),
  to(
    "two fields of an operation",
    { methods: ["GET"], paths: ["/b"] },
    both([path("/b")], [path("/a"), { ...path("/b"), method: "PUT" }]),
  ),
];

const conditions: readonly Field[] = [
  when("request.headers[X-Role]", { values: ["admin", "ops"] }, [
    [roles("admin"), true],
    [roles("ops"), true],
    [roles("user"), false],
    [roles(), false],
    [roles("admin", "user"), false, true],
    [roles("user", "admin"), false, true],
    [roles("user,admin"), false, true],
    [roles("user , admin ,x"), false, true],
    [roles("admin", "admin"), true],
    [roles("admin", "ops"), false, true],
    [roles("\xff", "admin"), false, true],
    [roles("\xff,admin"), false, true],
    [roles("\xffadmin"), false],
    [{ name: "x_role", headers: { x_role: "admin" } }, false],
  ]),
  when("request.headers[x-role]", { values: ["*"] }, both([roles("x"), roles("")], [roles()])),
  when(
    "request.headers[x-role]",
    { values: ["ops*"] },
    [
      [roles("ops1"), true],
      [roles("ops1", "banned"), false, true],
      [roles("banned,ops1"), false, true],
      [roles("user"), false],
    ],
    "ALLOW",
  ),
  when("request.headers[x-role]", { notValues: ["banned"] }, [
    [roles("user"), true],
    [roles(), true],
    [roles("banned"), false],
    [roles("user", "banned"), false, true],
    [roles("user,banned"), false, true],
    [roles("\xff,banned"), false, true],
    [roles("\xff"), true],
  ]),
  when(
    "request.headers[x-role]",
    { notValues: ["ops*"] },
    [
      [roles("user"), true],
      [roles("ops1"), false],
      [roles("ops1", "banned"), false, true],
    ],
    "DENY",
  ),
  when("source.ip", { values: ["10.0.0.0/8"] }, both([address("10.1.2.3")], [address("11.1.2.3")])),
  when("remote.ip", { notValues: ["10.0.0.0/8"] }, both([address("11.1.2.3")], [address("10.1.2.3")])),
  when("source.namespace", { values: ["shop"] }, both([orders], [{}])),
  when("source.principal", { notValues: ["*/sa/orders"] }, both([{}], [orders])),
  when("source.serviceAccount", { values: ["shop/orders"] }, both([orders], [{}])),
  when(
    "destination.ip",
    { values: ["10.0.0.0/8"] },
    both([{ peer: { destination: { address: "10.1.1.1", port: 80 } } }], [{}]),
  ),
  when(
    "destination.port",
    { notValues: ["8080"] },
    both([{}], [{ peer: { destination: { address: "10.0.0.1", port: 8080 } } }]),
  ),
  when(
    "connection.sni",
    { values: ["*.test"] },
    both([{ peer: { sni: "a.test" } }], [{}, { peer: { sni: "a.example" } }]),
  ),
  when("request.auth.principal", { values: ["a/b"] }, both([token({ iss: "a", sub: "b" })], [{}])),
  when(
    "request.auth.audiences",
    { values: ["shop"] },
    both([token({ aud: "shop" }), token({ aud: ["bank", "shop"] })], [{}, token({ aud: "bank" })]),
  ),
  when("request.auth.presenter", { values: ["app"] }, both([token({ azp: "app" })], [token({ azp: "x" })])),
  when("request.auth.claims[role]", { values: ["admin", "op*", "5", "true"] }, [
    [token({ role: "admin" }), true],
    [token({ role: "ops" }), true],
    [token({ role: ["user", "admin"] }), true],
    [token({ role: "5" }), true],
    [token({ role: "user" }), false],
    [token({ role: ["user,admin"] }), false],
    [token({ role: { admin: "admin" } }), false],
    [{}, false],
    [token({ role: 5 }), false, true],
    [token({ role: true }), false, true],
    [token({ role: false }), false],
    [token({ role: null }), false],
    [token({ role: [] }), false],
  ]),
  when(
    "request.auth.claims[role]",
    { values: ["*"] },
    both(
      [token({ role: "x" }), token({ role: ["x"] })],
      [token({ role: "" }), token({ role: [] }), token({ role: 7 }), {}],
    ),
  ),
  when(
    "request.auth.claims[realm][roles]",
    { values: ["admin"] },
    both(
      [token({ realm: { roles: ["x", "admin"] } }), token({ realm: { roles: "admin" } })],
      [token({ realm: "admin" }), token({ roles: ["admin"] })],
    ),
  ),
  when(
    "request.auth.claims[role]",
    { notValues: ["banned"] },
    both([token({ role: "x" }), {}], [token({ role: "banned" }), token({ role: ["x", "banned"] })]),
  ),
  when(
    "experimental.envoy.filters.http.x[db.table]",
    { values: ["update", "[insert]"] },
    both(
      [
        { metadata: { "envoy.filters.http.x": { "db.table": "update" } } },
        { metadata: { "envoy.filters.http.x": { "db.table": ["select", "insert"] } } },
      ],
      [
        {},
        { metadata: { "envoy.filters.http.x": { "db.table": "insert" } } },
        { metadata: { "envoy.filters.http.x": { "db.table": ["update"] } } },
      ],
    ),
  ),
];

const NONE = /^rbac_access_denied_matched_policy\[none\]/;

function scenarioOf(field: Field, action: "ALLOW" | "DENY"): Scenario {
  const exchanges = field.cases.map(([request, letsIn, keepsOut = letsIn]): Exchange => {
    const allowed = action === "ALLOW" ? letsIn : !keepsOut;
    return {
      ...request,
      expect: allowed
        ? { status: 200 }
        : {
            status: 403,
            body: "RBAC: access denied",
            details: action === "ALLOW" ? NONE : "rbac_access_denied_matched_policy[n/p[0]]",
            upstream: null,
          },
    };
  });
  return {
    name: `${action} ${field.name}${field.wasmOnly === action ? WASM_ONLY : ""}`,
    module: "authz",
    vmId: "authz",
    peerAddressStates: ["scrim.peer_address"],
    exchanges,
    configuration: { policies: [{ name: "n/p", action, rules: [field.rule] }] },
  };
}

/** Ends the names of scenarios that Envoy's own RBAC cannot be asked. */
export const WASM_ONLY = " (Wasm only)";

const several: readonly Scenario[] = [
  {
    name: "DENY before ALLOW, alternatives and conjunctions",
    module: "authz",
    vmId: "authz",
    peerAddressStates: ["scrim.peer_address"],
    configuration: {
      policies: [
        {
          name: "n/allow",
          action: "ALLOW",
          rules: [
            { to: [{ paths: ["/a"] }, { paths: ["/b"], methods: ["PUT"] }] },
            {
              to: [{ paths: ["/c"] }],
              when: [
                { key: "request.headers[x]", values: ["1"] },
                { key: "request.headers[y]", values: ["2"] },
              ],
            },
          ],
        },
        {
          name: "n/deny",
          action: "DENY",
          rules: [
            { to: [{ paths: ["/d"] }] },
            { to: [{ paths: ["/a"] }], when: [{ key: "request.headers[z]", values: ["3"] }] },
          ],
        },
      ],
    },
    exchanges: [
      { path: "/a", expect: { status: 200 } },
      { path: "/b", expect: { status: 403, details: NONE } },
      { path: "/b", method: "PUT", expect: { status: 200 } },
      { path: "/c", headers: { x: "1" }, expect: { status: 403, details: NONE } },
      { path: "/c", headers: { x: "1", y: "2" }, expect: { status: 200 } },
      {
        path: "/a",
        headers: { z: "3" },
        expect: { status: 403, details: "rbac_access_denied_matched_policy[n/deny[1]]" },
      },
      { path: "/d", expect: { status: 403, details: "rbac_access_denied_matched_policy[n/deny[0]]" } },
    ],
  },
  {
    name: "an ALLOW policy without rules",
    module: "authz",
    vmId: "authz",
    configuration: { policies: [{ name: "n/p", action: "ALLOW", rules: [] }] },
    exchanges: [{ expect: { status: 403, details: NONE } }],
  },
  {
    name: "a DENY policy without rules, an empty rule on trial, an AUDIT",
    module: "authz",
    vmId: "authz",
    configuration: {
      policies: [
        { name: "n/d", action: "DENY", rules: [] },
        { name: "n/t", action: "DENY", dryRun: true, rules: [{}] },
        { name: "n/w", action: "AUDIT", rules: [{}] },
      ],
    },
    exchanges: [{ expect: { status: 200 } }],
  },
];

export const scenarios: readonly Scenario[] = [
  ...[...sources, ...operations, ...conditions].flatMap((field) => [
    scenarioOf(field, "ALLOW"),
    scenarioOf(field, "DENY"),
  ]),
  ...several,
];
