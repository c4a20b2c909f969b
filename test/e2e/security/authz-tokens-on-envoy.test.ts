// Rules about tokens behind Envoy's own jwt_authn, for both engines: what it verified counts, what it did not never
// does.
import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { type Exchange, type Scenario, scenarioProblems } from "proxy-wasm-host";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildNativeGuard } from "../../../controlplane/translate/emit/native-guard.ts";
import type { Authorization } from "../../../controlplane/translate/ir/authorization.ts";
import { modulePath } from "../../../filters/module-path.ts";
import { toProto3Json } from "../../../protos/codec.ts";
import { EnvoyScenarios } from "../filters/scenario-envoy.ts";

const ISSUER = "https://login.test";
const own = generateKeyPairSync("ec", { namedCurve: "P-256" });
const foreign = generateKeyPairSync("ec", { namedCurve: "P-256" });
const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const publicPem = own.publicKey.export({ type: "spki", format: "pem" }).toString();

function token(
  claims: object,
  { key = own.privateKey, header = {} }: { key?: KeyObject; header?: object } = {},
): string {
  const payload = { iss: ISSUER, sub: "alice", exp: 4_102_444_800, ...claims };
  const text = `${encode({ alg: "ES256", kid: "one", typ: "JWT", ...header })}.${encode(payload)}`;
  return `${text}.${sign("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}
function withHmac(claims: object): string {
  const text = `${encode({ alg: "HS256", kid: "one" })}.${encode({ iss: ISSUER, sub: "alice", ...claims })}`;
  return `${text}.${createHmac("sha256", publicPem).update(text).digest("base64url")}`;
}

/**
 * As Istio writes a RequestAuthentication: a missing token passes, an invalid one does not; the payload goes into
 * dynamic metadata.
 */
const jwtAuthn = {
  name: "envoy.filters.http.jwt_authn",
  typed_config: {
    "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
    providers: {
      login: {
        issuer: ISSUER,
        payload_in_metadata: "payload",
        forward: true,
        normalize_payload_in_metadata: { space_delimited_claims: ["scope", "permission"] },
        local_jwks: {
          inline_string: JSON.stringify({
            keys: [{ ...own.publicKey.export({ format: "jwk" }), kid: "one", use: "sig", alg: "ES256" }],
          }),
        },
      },
    },
    rules: [
      {
        match: { prefix: "/" },
        requires: { requires_any: { requirements: [{ provider_name: "login" }, { allow_missing: {} }] } },
      },
    ],
  },
};

const policies: readonly Authorization[] = [
  {
    name: "n/deny",
    action: "DENY",
    rules: [
      { when: [{ key: "request.auth.claims[groups]", values: ["banned"] }] },
      { from: [{ notRequestPrincipals: ["*"] }], to: [{ paths: ["/members"] }] },
    ],
  },
  {
    name: "n/allow",
    action: "ALLOW",
    rules: [
      { from: [{ requestPrincipals: [`${ISSUER}/alice`] }], to: [{ paths: ["/alice"] }] },
      { to: [{ paths: ["/admin"] }], when: [{ key: "request.auth.claims[realm][roles]", values: ["admin"] }] },
      { to: [{ paths: ["/scope"] }], when: [{ key: "request.auth.claims[scope]", values: ["write"] }] },
      { to: [{ paths: ["/level"] }], when: [{ key: "request.auth.claims[level]", values: ["5"] }] },
      { to: [{ paths: ["/open", "/members"] }] },
    ],
  },
];

const ask = (
  name: string,
  path: string,
  bearer: string | undefined,
  status: number,
  headers: Exchange["headers"] = {},
): Exchange => ({
  name,
  path,
  headers: { ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }), ...headers },
  expect: { status },
});
const none = `${encode({ alg: "none" })}.${encode({ iss: ISSUER, sub: "alice", realm: { roles: ["admin"] } })}.`;

const exchanges: readonly Exchange[] = [
  ask("principal", "/alice", token({}), 200),
  ask("another", "/alice", token({ sub: "bob" }), 403),
  ask("no token", "/alice", undefined, 403),
  ask("nested list", "/admin", token({ realm: { roles: ["user", "admin"] } }), 200),
  ask("not in the list", "/admin", token({ realm: { roles: ["user"] } }), 403),
  ask("one of several scopes", "/scope", token({ scope: "read write" }), 200),
  ask("part of a scope's name", "/scope", token({ scope: "read write:all" }), 403),
  ask("a text", "/level", token({ level: "5" }), 200),
  ask("a number lets nobody in", "/level", token({ level: 5 }), 403),
  ask("banned group", "/open", token({ groups: ["x", "banned"] }), 403),
  ask("other group", "/open", token({ groups: ["x"] }), 200),
  ask("anybody", "/open", undefined, 200),
  ask("members only, without token", "/members", undefined, 403),
  ask("members only", "/members", token({}), 200),
  ask("alg none", "/alice", none, 401),
  ask("HMAC with the public key", "/alice", withHmac({}), 401),
  ask("foreign key", "/alice", token({}, { key: foreign.privateKey }), 401),
  ask(
    "foreign key, injected kid",
    "/alice",
    token({}, { key: foreign.privateKey, header: { kid: "../one", jwk: foreign.publicKey.export({ format: "jwk" }) } }),
    401,
  ),
  ask("unknown issuer", "/alice", token({ iss: "https://evil.test" }), 401),
  ask("no issuer", "/alice", token({ iss: undefined }), 401),
  ask("expired", "/alice", token({ exp: 1 }), 401),
  ask("a payload of one's own", "/alice", undefined, 403, { "x-jwt-payload": encode({ iss: ISSUER, sub: "alice" }) }),
];

const scenario: Scenario = { name: "tokens", module: "authz", vmId: "authz", configuration: { policies }, exchanges };
const wasmFilter = {
  name: "authz",
  typed_config: {
    "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
    config: {
      configuration: {
        "@type": "type.googleapis.com/google.protobuf.StringValue",
        value: JSON.stringify({ policies }),
      },
      vm_config: { runtime: "envoy.wasm.runtime.v8", code: { local: { filename: modulePath("authz") } } },
    },
  },
};
const nativeFilters = (["DENY", "ALLOW"] as const).map((action) =>
  toProto3Json("HttpFilter", {
    name: action,
    typedConfig: buildNativeGuard({
      kind: "authorization",
      action,
      policies: policies.filter((policy) => policy.action === action),
    }),
  }),
);

describe.each([
  ["the Wasm filter", [wasmFilter]],
  ["Envoy's RBAC", nativeFilters],
] as const)("tokens, decided by %s", (_name, filters) => {
  let envoy: EnvoyScenarios;
  beforeAll(
    async () =>
      void (envoy = await EnvoyScenarios.start({
        scenarios: [scenario],
        modulePath,
        httpFilters: () => [jwtAuthn, ...filters],
      })),
  );
  afterAll(() => envoy?.stop());

  it("count when they are verified", async () => {
    expect(scenarioProblems(scenario, await envoy.run(scenario))).toEqual([]);
  });
});
