// What the control plane accepts, the filters must take: a policy that only the proxy refuses would be one that nobody
// enforces.
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createHost, startHost } from "proxy-wasm-host";
import { loadText } from "../controlplane/store/load.ts";
import {
  authorizationConfiguration,
  resolveAuthorization,
} from "../controlplane/translate/resolve/authorization-policy.ts";
import { rateLimitConfiguration, resolveRateLimits } from "../controlplane/translate/resolve/rate-limit.ts";
import { sidecar } from "../controlplane/translate/resolve/testing.ts";
import { regexFault } from "../controlplane/validate/formats.ts";

const built = (name: string): Buffer => readFileSync(new URL(`build/${name}.wasm`, import.meta.url));
const authz = built("authz");
const ratelimit = built("ratelimit");
const router = createHost({ module: built("router"), configuration: "{}" });

/** The resolved configuration of the document, or undefined when it is refused. */
function resolvedOf(
  document: object,
  resolve: (world: ReturnType<typeof loadText>["world"]) => string,
): string | undefined {
  const { world, violations } = loadText(JSON.stringify(document));
  return violations.some(({ severity }) => severity === "error") ? undefined : resolve(world);
}

function authorizationOf(rule: object): string | undefined {
  const document = {
    apiVersion: "security.istio.io/v1",
    kind: "AuthorizationPolicy",
    metadata: { name: "p", namespace: "default" },
    spec: { action: "DENY", rules: [rule] },
  };
  return resolvedOf(document, (world) => authorizationConfiguration(resolveAuthorization(world, sidecar())));
}

function limitsOf(limits: readonly object[]): string | undefined {
  const document = {
    apiVersion: "policy.scrim.mesh/v1alpha1",
    kind: "RateLimitPolicy",
    metadata: { name: "p", namespace: "default" },
    spec: { limits },
  };
  return resolvedOf(document, (world) => rateLimitConfiguration(resolveRateLimits(world, sidecar())));
}

function refusal(module: Buffer, configuration: string | undefined): string | undefined {
  if (configuration === undefined) return undefined;
  const started = startHost({ module, configuration });
  return started.kind === "failed" ? `${started.message}: ${configuration}` : undefined;
}

const piece = fc.oneof(
  fc.constantFrom(
    "*",
    "{*}",
    "{**}",
    "/",
    "a",
    ".",
    "%3a",
    "{",
    "}",
    "é",
    "\u{1F600}",
    "::",
    ":80",
    "10.0.0.1",
    "/8",
    "ns/sa",
    "-",
    "\\",
    '"',
    " ",
    "1",
    "0",
    ";",
  ),
  fc.string({ maxLength: 4 }),
);
const value = fc.array(piece, { minLength: 1, maxLength: 5 }).map((pieces) => pieces.join(""));
const path = value.map((text) => `/${text}`);
const ip = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.tuple(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat(130)).map(([address, bits]) => `${address}/${bits}`),
  fc.constantFrom("::", "::/0", "0.0.0.0/0", "1::2:3.4.5.6", "::ffff:1.2.3.4/128", "1.2.3.4/032", "01.2.3.4"),
  value,
);
const values = (one: fc.Arbitrary<string>) => fc.array(one, { minLength: 1, maxLength: 2 });
const source = fc.oneof(
  ...["principals", "namespaces", "serviceAccounts", "notServiceAccounts"].map((field) =>
    values(value).map((list) => ({ [field]: list })),
  ),
  ...["ipBlocks", "notRemoteIpBlocks"].map((field) => values(ip).map((list) => ({ [field]: list }))),
);
const operation = fc.oneof(
  ...["hosts", "methods", "ports"].map((field) => values(value).map((list) => ({ [field]: list }))),
  values(fc.oneof(path, value)).map((paths) => ({ paths })),
);
const key = fc.oneof(
  fc.constantFrom(
    "source.ip",
    "remote.ip",
    "source.namespace",
    "source.principal",
    "source.serviceAccount",
    "destination.ip",
    "destination.port",
    "connection.sni",
    "request.headers[x]",
    "request.headers[:path]",
    "request.headers[__proto__]",
  ),
  value.map((name) => `request.headers[${name}]`),
);
const condition = fc
  .tuple(key, fc.oneof(values(value), values(ip)), fc.boolean())
  .map(([name, list, negated]) => ({ key: name, [negated ? "notValues" : "values"]: list }));
const rule = fc.oneof(
  source.map((one) => ({ from: [{ source: one }] })),
  operation.map((one) => ({ to: [{ operation: one }] })),
  condition.map((one) => ({ when: [one] })),
);

describe("what the control plane accepts, the filter takes", () => {
  it("rules of AuthorizationPolicy", () => {
    fc.assert(
      fc.property(rule, (one) => void expect(refusal(authz, authorizationOf(one))).toBeUndefined()),
      { numRuns: 1500 },
    );
  });

  it.each([
    { when: [{ key: "source.serviceAccount", values: ["orders"] }] },
    { when: [{ key: "source.serviceAccount", values: ["*"] }] },
    { to: [{ operation: { paths: ["/a//{*}"] } }] },
    { to: [{ operation: { paths: ["/é/{*}"] } }] },
    { from: [{ source: { serviceAccounts: ["a-/b"] } }] },
  ])("the rule %j", (one) => {
    expect(refusal(authz, authorizationOf(one))).toBeUndefined();
  });

  it("limits of RateLimitPolicy", () => {
    const number = fc.oneof(
      fc.integer({ min: 1, max: 100 }),
      fc.constantFrom(1_000_000, 2_147_483_647, 10 ** 12, 2 ** 53 - 1),
    );
    const duration = fc.constantFrom("1s", "1ms", "0s", "0.0001s", "0.5ms", "24h", "8760h", "87600h", "1ns", "1.5h");
    const bound = fc.constantFrom(0, 1, 2, 100, 2_147_483_647);
    const keyPart = fc.oneof(
      value.map((header) => ({ header })),
      fc.constantFrom(
        { path: true },
        { route: true },
        { source: "ip" },
        { source: "remoteIp" },
        { source: "serviceAccount" },
      ),
      values(fc.oneof(path, value)).map((pathTemplate) => ({ pathTemplate })),
      fc.oneof(path, value).map((pathCapture) => ({ pathCapture })),
      values(value).map((claim) => ({ claim })),
      value.map((as) => ({ path: true, as })),
    );
    const override = fc.record(
      {
        name: value,
        principals: values(value),
        values: values(value),
        perKey: fc.boolean(),
        requests: number,
        per: duration,
        burst: number,
      },
      { requiredKeys: ["requests"] },
    );
    const cost = fc.oneof(
      number.map((requests) => ({ requests })),
      fc.record({ header: value, default: bound, min: bound, max: bound }, { requiredKeys: ["header"] }),
    );
    const global = fc.record(
      {
        host: fc.constantFrom("rls", "rls.infra.svc.cluster.local"),
        port: fc.constantFrom(1, 65_535),
        domain: value,
        descriptor: fc.array(fc.record({ key: value, value: fc.oneof(fc.constant(""), value) }), { maxLength: 2 }),
        timeout: duration,
        staleness: duration,
        lease: bound,
        failure: fc.constantFrom("open", "closed", "local"),
      },
      { requiredKeys: ["host", "domain", "failure"] },
    );
    const common = {
      match: fc.record(
        {
          paths: values(fc.oneof(path, value)),
          hosts: values(value),
          methods: values(fc.constantFrom("GET", "get", "*", "A*")),
        },
        { requiredKeys: [] },
      ),
      key: fc.array(keyPart, { maxLength: 2 }),
    };
    const own = fc.record(
      {
        ...common,
        name: value,
        requests: number,
        per: duration,
        burst: number,
        cost,
        overrides: fc.array(override, { maxLength: 2 }),
      },
      { requiredKeys: ["name", "requests", "per"] },
    );
    const shared = fc.record(
      { ...common, name: value, requests: number, per: duration, cost, global },
      { requiredKeys: ["name", "global"] },
    );
    const limit = fc.oneof(own, shared);
    fc.assert(
      fc.property(
        fc.array(limit, { minLength: 1, maxLength: 2 }),
        (limits) => void expect(refusal(ratelimit, limitsOf(limits))).toBeUndefined(),
      ),
      { numRuns: 1500 },
    );
  });

  it("regular expressions of VirtualService, without taking long to match", () => {
    const atom = fc.constantFrom(
      "a",
      ".",
      "\\d",
      "\\w+",
      "[a-z]",
      "[^/]*",
      "[[:alpha:]]",
      "\\pN",
      "\\p{Greek}",
      "\\p{L}",
      "(?i)",
      "(?s:.)",
      "(?P<n>x)",
      "(?<n>x)",
      "\\Q.*\\E",
      "\\b",
      "^",
      "$",
      "\\A",
      "\\z",
      "|",
      "(",
      ")",
      "*",
      "+?",
      "{2,3}",
      "{1000}",
      "{0}",
      "\\x{41}",
      "\\x41",
      "\\101",
      "\\C",
      "é",
      "\u{1F600}",
      "\\t",
      "(?U)",
      "[\\d\\-z]",
      "[]a]",
      "(?:)",
      "\\/",
      "\\-",
    );
    const regex = fc.array(atom, { minLength: 1, maxLength: 6 }).map((parts) => parts.join(""));
    const refusedByRouter: string[] = [];
    fc.assert(
      fc.property(regex, fc.string({ maxLength: 40 }), (pattern, text) => {
        if (regexFault(pattern) !== undefined) return;
        const rules = JSON.stringify({ routes: [{ key: "yes", match: { headers: { x: { regex: pattern } } } }] });
        const errors = router.logged("error").length;
        const attributes = {
          xds: { virtual_host_metadata: { filter_metadata: { "scrim.router": { id: pattern, rules } } } },
        };
        const stream = router.newStream({
          headers: { ":path": "/", x: text.repeat(50) },
          attributes: attributes as never,
        });
        stream.sendRequestHeaders();
        stream.end();
        if (router.logged("error").length > errors)
          refusedByRouter.push(`${pattern}: ${router.logged("error").at(-1)}`);
        expect(router.failure()).toBeUndefined();
      }),
      { numRuns: 1500 },
    );
    expect([...new Set(refusedByRouter)]).toEqual([]);
  });
});
