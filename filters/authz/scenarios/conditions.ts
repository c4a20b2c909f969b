// Conditions of `when`, each with requests that fit it and requests that do not.
import type { Exchange } from "proxy-wasm-host";
import { type Field, address, both, orders, token, when } from "./words.ts";

const roles = (...values: string[]): Omit<Exchange, "expect"> => ({
  name: values.join(" | ") || "none",
  ...(values.length > 0 && { headers: { "x-role": values } }),
});

export const conditions: readonly Field[] = [
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
    [{ name: "x_role", headers: { x_role: "admin" } }, false, true],
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
