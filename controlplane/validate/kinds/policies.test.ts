import { describe, expect, it } from "vitest";
import { accepts, faults, refuses } from "./testing.ts";

describe("AuthorizationPolicy", () => {
  const source = (fields: string) => `{rules: [{from: [{source: {${fields}}}]}]}`;
  const operation = (fields: string) => `{rules: [{to: [{operation: {${fields}}}]}]}`;
  const when = (fields: string) => `{rules: [{when: [{${fields}}]}]}`;
  refuses([
    ["AuthorizationPolicy", "{action: CUSTOM, provider: {name: x}}", "CUSTOM is not supported yet"],
    ["AuthorizationPolicy", "{action: PERMIT}", "must be one of ALLOW, DENY, AUDIT"],
    ["AuthorizationPolicy", "{rules: [{from: []}]}", "from: must not be an empty list"],
    ["AuthorizationPolicy", "{rules: [{from: [{}]}]}", "source: is required"],
    ["AuthorizationPolicy", source(""), "source: must have at least one field"],
    ["AuthorizationPolicy", source("principals: []"), "principals: must not be an empty list"],
    ["AuthorizationPolicy", source("principals: ['']"), "principals[0]: must not be empty"],
    ["AuthorizationPolicy", source("principals: ['spiffe://a/ns/b/sa/c']"), "is written without its scheme"],
    ["AuthorizationPolicy", source("principals: ['a*b']"), "can have one *"],
    ["AuthorizationPolicy", source("requestPrincipals: ['a*b']"), "can have one *"],
    ["AuthorizationPolicy", source("ipBlocks: [1.2.3]"), "is not an IP address or CIDR range"],
    ["AuthorizationPolicy", source("ipBlocks: [1.2.3.4/x]"), "has no valid prefix length"],
    ["AuthorizationPolicy", source("serviceAccounts: ['ns/*']"), "without wildcards"],
    [
      "AuthorizationPolicy",
      source("serviceAccounts: [a], namespaces: [b]"),
      "cannot stand beside principals or namespaces",
    ],
    ["AuthorizationPolicy", operation("ports: ['http']"), "must be a port"],
    ["AuthorizationPolicy", operation("ports: [80]"), 'write it in quotes, "80"'],
    ["AuthorizationPolicy", operation("paths: ['/a/{id}']"), "uses braces other than"],
    ["AuthorizationPolicy", operation("paths: ['/a/{*}/*']"), "mixes *"],
    ["AuthorizationPolicy", operation("paths: ['/{**}/{*}']"), "has {*} after {**}"],
    ["AuthorizationPolicy", operation("paths: ['/a{*}']"), "whole path segment"],
    ["AuthorizationPolicy", operation("metods: [GET]"), 'did you mean "methods"?'],
    ["AuthorizationPolicy", when("key: source.ip"), "values or notValues is required"],
    ["AuthorizationPolicy", when("key: source.ip, values: [x]"), "is not an IP address"],
    ["AuthorizationPolicy", when("key: 'request.auth.claims', values: [x]"), "is no condition key"],
    ["AuthorizationPolicy", when("key: 'request.auth.claims[a][]', values: [x]"), "is no condition key"],
    ["AuthorizationPolicy", when("key: experimental.envoy.filters.a, values: [x]"), "is no condition key"],
    ["AuthorizationPolicy", when("key: request.header, values: [x]"), "is no condition key"],
    ["AuthorizationPolicy", when("key: 'request.headers[a b]', values: [x]"), "is not a name HTTP allows"],
    ["AuthorizationPolicy", when("key: destination.port, values: ['0']"), "must be a port"],
  ]);
  accepts([
    ["AuthorizationPolicy", "{}"],
    ["AuthorizationPolicy", "{rules: [{}]}"],
    [
      "AuthorizationPolicy",
      source("principals: ['*', 'cluster.local/ns/default/sa/a', '*/sa/b'], notIpBlocks: [10.0.0.0/8, '::1/128']"),
    ],
    [
      "AuthorizationPolicy",
      operation(
        "methods: [GET], paths: ['/a', '/a*', '*.html', '*', '/a/{*}/b', '/a/{**}'], ports: ['80'], hosts: ['*.a.com']",
      ),
    ],
    ["AuthorizationPolicy", "{action: AUDIT, rules: [{}]}"],
    ["AuthorizationPolicy", source("requestPrincipals: ['*', 'https://a/b'], notRequestPrincipals: ['*/c']")],
    ["AuthorizationPolicy", when("key: 'request.auth.claims[a][b]', values: [x, 'y*']")],
    ["AuthorizationPolicy", when("key: request.auth.audiences, notValues: [x]")],
    [
      "AuthorizationPolicy",
      when("key: 'experimental.envoy.filters.network.mysql_proxy[db.table]', values: ['[update]']"),
    ],
    ["AuthorizationPolicy", when("key: 'request.headers[x-role]', notValues: [admin, 'a*']")],
  ]);
  it("tells of policies that never decide anything", () => {
    expect(faults("AuthorizationPolicy", `spec: ${source("requestPrincipals: ['*']")}`, "warning")).toEqual([
      expect.stringContaining("RequestAuthentication is not supported yet"),
    ]);
    expect(
      faults("AuthorizationPolicy", `spec: ${when("key: 'request.auth.claims[a]', values: [b]")}`, "warning"),
    ).toEqual([expect.stringContaining("RequestAuthentication is not supported yet")]);
    const annotated = (value: string) => `x, annotations: {istio.io/dry-run: "${value}"}`;
    expect(faults("AuthorizationPolicy", "spec: {rules: [{}]}", "error", annotated("yes"))).toEqual([
      expect.stringContaining('must be "true" or "false", not "yes"'),
    ]);
    expect(faults("AuthorizationPolicy", "spec: {rules: [{}]}", "error", annotated("TRUE"))).toEqual([]);
    expect(faults("AuthorizationPolicy", "spec: {action: AUDIT, rules: [{}]}", "warning", annotated("true"))).toEqual([
      expect.stringContaining("an AUDIT policy refuses nothing anyway"),
    ]);
    expect(faults("AuthorizationPolicy", "spec: {action: DENY}")).toEqual([
      "rules: is required by action DENY, which denies nothing without: [{}] denies everything",
    ]);
  });
});

describe("WasmPlugin, quotas and limits", () => {
  const limit = (fields: string) => `{limits: [{name: a, requests: 1, per: 1s, ${fields}}]}`;
  refuses([
    ["WasmPlugin", "{}", "url: is required"],
    ["WasmPlugin", "{url: 'oci://a/b@sha256:12'}", "names no image"],
    [
      "WasmPlugin",
      `{url: 'oci://a.io/b@sha256:${"a1".repeat(32)}', sha256: ${"b2".repeat(32)}}`,
      "is not the digest that the url names",
    ],
    ["WasmPlugin", "{url: 'oci://a.io/b', verificationKey: 'my key'}", "must be public keys in PEM"],
    ["WasmPlugin", "{url: 'ftp://a/b'}", "must begin with"],
    ["WasmPlugin", "{url: 'http://'}", "is not a URL"],
    ["WasmPlugin", "{url: 'file://a', sha256: abc}", "must be 64 hexadecimal digits"],
    ["WasmPlugin", "{url: 'file://a', pluginConfig: text}", "pluginConfig: must be a map"],
    ["WasmPlugin", "{url: 'file://a', phase: AUTH}", "phase: must be one of"],
    ["WasmPlugin", "{url: 'file://a', failStrategy: FAIL_OPN}", 'did you mean "FAIL_OPEN"?'],
    ["WasmPlugin", "{url: 'file://a', match: [{mode: BOTH}]}", "match[0].mode"],
    [
      "WasmPlugin",
      "{url: 'file://a', vmConfig: {env: [{name: A, valueFrom: HOST, value: b}]}}",
      "cannot be given with valueFrom HOST",
    ],
    [
      "WasmPlugin",
      "{url: 'file://a', vmConfig: {env: [{name: A, value: b}, {name: A, value: c}]}}",
      'variable "A" is given twice',
    ],
    ["QuotaSpec", "{rules: []}", "rules: must not be empty"],
    [
      "QuotaSpec",
      "{rules: [{quotas: [{name: a, maxAmount: 0, interval: 1s}]}]}",
      "maxAmount: must be at least 1, not 0",
    ],
    [
      "QuotaSpec",
      "{rules: [{quotas: [{name: a, maxAmount: -5, interval: 0s}]}]}",
      'interval: must be at least 1ms, not "0s"',
    ],
    ["QuotaSpec", "{rules: [{quotas: [{quota: a, charge: 1}]}]}", "quota: is not supported yet"],
    [
      "QuotaSpec",
      "{rules: [{quotas: [{name: a, maxAmount: 1, interval: 1s, overrides: [{dimensions: {user: x}, maxAmount: " +
        "1}]}]}]}",
      'unknown field "user"',
    ],
    [
      "QuotaSpec",
      "{rules: [{match: [{clause: {}}], quotas: [{name: a, maxAmount: 1, interval: 1s}]}]}",
      "clause: is not supported yet",
    ],
    ["QuotaSpecBinding", "{services: [{service: '*'}], quotaSpecs: [{name: a}]}", "service: is not supported yet"],
    ["RateLimitPolicy", "{limits: []}", "limits: must not be empty"],
    [
      "RateLimitPolicy",
      limit("key: [{header: a, path: true}]"),
      "only one of header, source, path, pathTemplate, pathCapture, claim, route",
    ],
    [
      "RateLimitPolicy",
      limit("key: [{source: user}]"),
      "source: must be one of principal, namespace, serviceAccount, ip, remoteIp",
    ],
    ["RateLimitPolicy", limit("key: [{header: 'a b'}]"), "is not a name HTTP allows"],
    ["RateLimitPolicy", limit("burst: 0"), "burst: must be at least 1"],
    ["RateLimitPolicy", limit("match: {paths: ['/a/{x}']}"), "uses braces other than"],
    ["RateLimitPolicy", limit("match: {hosts: ['a*b']}"), "hosts[0]: can have one *"],
    ["RateLimitPolicy", limit("match: {notPaths: []}"), "notPaths: must not be empty"],
    ["RateLimitPolicy", limit("match: {ipBlocks: [10.0.0.0/33]}"), "ipBlocks[0]: has no valid prefix length"],
    ["RateLimitPolicy", limit("match: {notRemoteIpBlocks: [here]}"), "is not an IP address or CIDR range"],
    ["RateLimitPolicy", limit("match: {headers: [{name: a}]}"), "headers[0]: one of values, notValues"],
    [
      "RateLimitPolicy",
      limit("match: {headers: [{name: a, values: [b], notValues: [c]}]}"),
      "headers[0].notValues: only one of values, notValues",
    ],
    ["RateLimitPolicy", limit("match: {headers: [{name: ':path', values: [b]}]}"), "is no header: match has methods"],
    ["RateLimitPolicy", limit("match: {headers: [{name: 'a b', values: [b]}]}"), "is not a name HTTP allows"],
    ["RateLimitPolicy", limit("match: {headers: [{name: a, values: ['b*c']}]}"), "values[0]: can have one *"],
    ["RateLimitPolicy", limit("match: {queryParameters: [{values: [b]}]}"), "queryParameters[0].name: is required"],
    ["RateLimitPolicy", limit("match: {query: [{name: a, values: [b]}]}"), 'unknown field "query"'],
    ["RateLimitPolicy", limit("refusal: {status: 200}"), "refusal.status: must be between 400 and 599"],
    ["RateLimitPolicy", limit("refusal: {headers: {'a b': c}}"), "is not a name HTTP allows"],
    ["RateLimitPolicy", limit('refusal: {headers: {a: "b\\r\\nc"}}'), "must not contain a line break"],
    ["RateLimitPolicy", limit("refusal: {headers: {Retry-After: '1'}}"), "is not for a refusal to say"],
    ["RateLimitPolicy", limit("refusal: {headers: {a: b, A: c}}"), "is there twice"],
    ["RateLimitPolicy", limit("shadow: true, refusal: {status: 503}"), "refusal: is for limits that refuse"],
    ["RateLimitPolicy", limit("key: [{pathTemplate: [a/b]}]"), "key[0].pathTemplate[0]: must begin with /"],
    ["RateLimitPolicy", limit("key: [{pathTemplate: ['/{**}/{*}']}]"), "has {*} after {**}"],
    ["RateLimitPolicy", limit("key: [{pathCapture: /a}]"), "must have a {*}, whose text is the key"],
    ["RateLimitPolicy", limit("key: [{route: false}]"), "key[0].route: must be true"],
    ["RateLimitPolicy", limit("cost: {requests: 2}"), "is over the bucket's size, 1"],
    ["RateLimitPolicy", limit("cost: {header: x-cost}"), "cost.max: is required with a header"],
    ["RateLimitPolicy", limit("burst: 9, cost: {header: x-cost, min: 3, max: 2}"), "cost.max: is less than min"],
    ["RateLimitPolicy", limit("burst: 9, cost: {requests: 1, max: 2}"), "cost.max: is for costs that a header says"],
    [
      "RateLimitPolicy",
      limit("burst: 9, cost: {requests: 5}, overrides: [{principals: [a], requests: 2}]"),
      "overrides[0]: has a bucket of 2, smaller than the cost of 5",
    ],
    ["RateLimitPolicy", limit("overrides: [{requests: 2}]"), "overrides[0]: needs principals or values"],
    [
      "RateLimitPolicy",
      limit("key: [{header: a}], overrides: [{values: [x, y], requests: 2}]"),
      "must have one pattern for each part of the limit's key, which has 1",
    ],
    [
      "RateLimitPolicy",
      limit("overrides: [{name: a, principals: [x], requests: 2}, {name: a, principals: [y], requests: 2}]"),
      'override "a" is given twice',
    ],
    ["RateLimitPolicy", limit("overrides: [{principals: [x], perKey: true, requests: 2}]"), "perKey: needs a key"],
    [
      "RateLimitPolicy",
      limit("global: {host: rls.infra.svc.cluster.local, domain: d, failure: open}"),
      "limits[0].requests: is decided by the rate limit service",
    ],
    ["RateLimitPolicy", limit("global: {host: '*.infra', domain: d, failure: local}"), "global.host: must be one host"],
    [
      "RateLimitPolicy",
      limit("global: {host: rls, domain: d, failure: local, staleness: 2h}"),
      "global.staleness: must be an hour at most",
    ],
    ["RateLimitPolicy", limit("global: {host: rls, domain: d}"), "global.failure: is required"],
    [
      "RateLimitPolicy",
      "{limits: [{name: a, global: {host: rls, domain: d, failure: local}}]}",
      "limits[0].requests: is required where global.failure is local",
    ],
    ["RateLimitPolicy", "{limits: [{name: a, requests: 1}]}", "limits[0].per: is required"],
    [
      "RateLimitPolicy",
      "{limits: [{name: a, requests: 1, per: 1s}, {name: a, requests: 1, per: 1s}]}",
      'limit "a" is given twice',
    ],
  ]);
  accepts([
    [
      "WasmPlugin",
      "{url: 'file://./a.wasm', phase: AUTHN, priority: -5, pluginConfig: {a: [1, null, {b: c}]}, vmConfig: " +
        "{env: [{name: A, value: ''}, {name: B, valueFrom: HOST}]}}",
    ],
    ["WasmPlugin", "{url: 'file://a', failStrategy: FAIL_RELOAD}"],
    ["WasmPlugin", "{url: 'oci://a.io/b:v1', imagePullSecret: s}"],
    ["WasmPlugin", "{url: a/b}"],
    ["WasmPlugin", `{url: 'http://127.0.0.1:1/a.wasm', sha256: ${"a1".repeat(32)}}`],
    [
      "RateLimitPolicy",
      limit(
        "match: {notMethods: [OPTIONS], notPaths: [/health], notHosts: [a.*], ipBlocks: [10.0.0.0/8], " +
          "notRemoteIpBlocks: ['::1'], headers: [{name: X-A, values: ['*', '']}, {name: b, notValues: ['c*']}], " +
          "queryParameters: [{name: 'a b', values: [c]}]}, refusal: {status: 503, headers: {x-why: over}}",
      ),
    ],
    [
      "RateLimitPolicy",
      limit(
        "key: [{header: x}, {source: principal}, {path: true}], burst: 5, overrides: [{principals: [a], requests: 5}]",
      ),
    ],
    [
      "RateLimitPolicy",
      limit(
        "key: [{claim: [realm, tier]}, {route: true}, {pathTemplate: [/a, '/b/{**}']}, {pathCapture: " +
          "'/t/{*}/{**}', as: tenant}, {source: remoteIp}]",
      ),
    ],
    [
      "RateLimitPolicy",
      limit(
        "burst: 50, cost: {header: X-Cost, default: 0, min: 0, max: 50}, key: [{header: tier}], overrides: " +
          "[{values: [gold], perKey: true, requests: 50}]",
      ),
    ],
    [
      "RateLimitPolicy",
      "{limits: [{name: a, key: [{header: x, as: user}], global: {host: rls.infra.svc.cluster.local, port: " +
        "8081, domain: shop, descriptor: [{key: a, value: ''}], timeout: 50ms, staleness: 2s, lease: 10, " +
        "failure: closed}}]}",
    ],
  ]);
});
