import { generateKeyPairSync } from "node:crypto";
import forge from "node-forge";
import { describe, expect, it } from "vitest";
import { kindDefinitions, type Kind } from "../../model/kinds.ts";
import { parseFile } from "../../source/files/parse-file.ts";
import { validateDocument } from "../document.ts";

/** Returns what validation says about an object with these fields beside its head, as `field: message`. */
function faults(kind: Kind, fields: string, severity = "error", name = "x", namespace = "default"): readonly string[] {
  const text = `{apiVersion: "${kindDefinitions[kind].apiVersions[0]}", kind: ${kind}, metadata: {name: ${name}, namespace: ${namespace}}, ${fields}}`;
  const { documents, problems } = parseFile(text, "f.yaml");
  expect(problems).toEqual([]);
  const document = documents[0];
  if (document === undefined) throw new Error("no document");
  const result = validateDocument(document, { strict: false });
  return result.violations
    .filter((violation) => violation.severity === severity)
    .map(({ field, message }) => `${field.replace(/^spec\./, "")}: ${message}`);
}

/** Each case: kind, spec in flow YAML, a part of what must be said (first: the field). */
function refuses(cases: readonly (readonly [Kind, string, string])[]): void {
  it.each(cases)("%s %s", (kind, spec, expected) => {
    expect(faults(kind, `spec: ${spec}`).join("\n")).toContain(expected);
  });
}

function accepts(cases: readonly (readonly [Kind, string])[]): void {
  it.each(cases)("%s %s", (kind, spec) => {
    expect(faults(kind, `spec: ${spec}`)).toEqual([]);
  });
}

const route = "route: [{destination: {host: a}}]";
const vs = (http: string) => `{hosts: [a.com], http: [{${http}}]}`;
const match = (fields: string) => vs(`match: [{${fields}}], ${route}`);

describe("VirtualService refuses", () => {
  refuses([
    ["VirtualService", "{hosts: [a.com]}", "http: is required"],
    ["VirtualService", `{hosts: ["*"], http: [{${route}}]}`, "hosts[0]: * is not allowed for sidecars"],
    ["VirtualService", `{hosts: [a.com, A.com], http: [{${route}}]}`, 'hosts[1]: host "a.com" is given twice'],
    ["VirtualService", `{hosts: ["a.*.com"], http: [{${route}}]}`, "hosts[0]: can have * only as its first label"],
    ["VirtualService", `{hosts: ["a.com:80"], http: [{${route}}]}`, "hosts[0]: must be a host without a port"],
    ["VirtualService", `{hosts: [ns/a.com], http: [{${route}}]}`, "hosts[0]: must be a host without a namespace"],
    [
      "VirtualService",
      `{hosts: [a.com], gateways: [a/b/c], http: [{${route}}]}`,
      "gateways[0]: must be name or namespace/name",
    ],
    [
      "VirtualService",
      `{hosts: [a.com], exportTo: ["*", ns], http: [{${route}}]}`,
      "exportTo[0]: * cannot stand beside",
    ],
    ["VirtualService", `{hosts: [a.com], exportTo: ["B!"], http: [{${route}}]}`, "exportTo[0]: must be at most 63"],
    ["VirtualService", "{hosts: [a.com], tcp: [{}], tls: [{}]}", "VirtualService.spec.tcp is not supported yet"],
    ["VirtualService", vs("match: [{uri: {prefix: /}}]"), "http[0].route: is required"],
    ["VirtualService", vs("route: []"), "http[0].route: is required"],
    ["VirtualService", vs(`${route}, redirect: {uri: /b}`), "http[0].redirect: cannot stand beside route"],
    ["VirtualService", vs("redirect: {uri: /b}, rewrite: {uri: /c}"), "http[0].rewrite: needs a route"],
    ["VirtualService", vs(`${route}, rewrite: {}`), "http[0].rewrite: needs uri or authority"],
    ["VirtualService", vs("redirect: {}"), "http[0].redirect: must change"],
    [
      "VirtualService",
      vs("redirect: {uri: /a, redirectCode: 304}"),
      "redirectCode: must be one of 301, 302, 303, 307, 308",
    ],
    ["VirtualService", vs("redirect: {port: 80, derivePort: FROM_REQUEST_PORT}"), "only one of port, derivePort"],
    ["VirtualService", vs("directResponse: {status: 99}"), "status: must be between 200 and 599"],
    ["VirtualService", vs("directResponse: {body: {string: a}}"), "directResponse.status: is required"],
    ["VirtualService", vs("directResponse: {status: 200, body: {bytes: 'a!'}}"), "body.bytes: is not base64"],
    [
      "VirtualService",
      vs("route: [{destination: {host: a}}, {destination: {host: b}, weight: 0}]"),
      "weights of several destinations must not add up to 0",
    ],
    ["VirtualService", vs("route: [{weight: 1}]"), "route[0].destination: is required"],
    ["VirtualService", vs("route: [{destination: {host: '*.a.com'}}]"), "host: must be one host"],
    [
      "VirtualService",
      vs("route: [{destination: {host: a, port: {number: 0}}}]"),
      "number: must be between 1 and 65535, not 0",
    ],
    [
      "VirtualService",
      vs("route: [{destination: {host: a}, weight: ten}]"),
      'weight: must be a whole number, not the text "ten"',
    ],
    [
      "VirtualService",
      vs("route: [{destination: {host: a}, weight: 1.5}]"),
      "weight: must be a whole number, not the number 1.5",
    ],
    ["VirtualService", match("uri: {exact: a, prefix: b}"), "uri.prefix: only one of exact, prefix, regex can be set"],
    ["VirtualService", match("uri: {}"), "uri: one of exact, prefix, regex is required"],
    ["VirtualService", match("uri: {prefix: ''}"), "uri.prefix: must not be empty"],
    ["VirtualService", match("uri: {regex: '('}"), "uri.regex: is not a regular expression of RE2"],
    ["VirtualService", match("uri: {regex: '(a)\\1'}"), "uri.regex: is not a regular expression of RE2"],
    [
      "VirtualService",
      match("uri: {regex: '\\p{Cn}'}"),
      "uri.regex: is not a regular expression of RE2: Envoy knows no class \\p{Cn}",
    ],
    ["VirtualService", match("uri: {regex: '\\x{100}'}"), "uri.regex: has an escape over \\xff: Envoy matches bytes"],
    ["VirtualService", match("headers: {'@request.auth.principal': {exact: a}}"), "must be @request.auth.claims.NAME"],
    ["VirtualService", match(`uri: {regex: '${"a".repeat(1_025)}'}`), "uri.regex: is longer than 1024"],
    [
      "VirtualService",
      match(
        "uri: {regex: 'a{1000}b{1000}c{1000}d{1000}a{1000}b{1000}c{1000}d{1000}a{1000}b{1000}c{1000}d{1000}a{1000}b{1000}c{1000}d{1000}a{1000}b{1000}c{1000}d{1000}a{1000}b{1000}c{1000}d{1000}a{1000}b{1000}c{1000}d{1000}a{1000}b{1000}c{1000}d{1000}a{1000}'}",
      ),
      "uri.regex: is too complex",
    ],
    [
      "VirtualService",
      match("headers: {end-user: jason}"),
      'headers.end-user: must be a map of fields, not the text "jason"',
    ],
    ["VirtualService", match("headers: {'a b': {}}"), "is not a name HTTP allows"],
    ["VirtualService", match("headers: {':path': {exact: a}}"), "cannot be matched here"],
    ["VirtualService", match("headers: {a: {exat: b}}"), 'did you mean "exact"?'],
    ["VirtualService", vs(`${route}, retries: {attempts: 0, retryOn: 5xx}`), "attempts: is 0, which turns retries off"],
    [
      "VirtualService",
      vs(`${route}, retries: {attempts: 1, retryOn: '5xx,conect-failure'}`),
      'did you mean "connect-failure"?',
    ],
    [
      "VirtualService",
      vs(`${route}, retries: {attempts: 1, perTryTimeout: 5}`),
      "perTryTimeout: must be text, not the number 5",
    ],
    [
      "VirtualService",
      vs(`${route}, fault: {abort: {percentage: {value: 1}}}`),
      "abort: one of httpStatus, grpcStatus is required",
    ],
    [
      "VirtualService",
      vs(`${route}, fault: {abort: {httpStatus: 500, percentage: {value: 101}}}`),
      "value: must be between 0 and 100",
    ],
    ["VirtualService", vs(`${route}, fault: {abort: {grpcStatus: NOPE}}`), "grpcStatus"],
    ["VirtualService", vs(`${route}, fault: {delay: {percentage: {value: 1}}}`), "delay.fixedDelay: is required"],
    [
      "VirtualService",
      vs(`${route}, mirror: {host: b}, mirrors: [{destination: {host: c}}]`),
      "mirrors: cannot stand beside mirror",
    ],
    ["VirtualService", vs(`${route}, headers: {request: {set: {':path': /a}}}`), "cannot be changed here"],
    ["VirtualService", vs(`${route}, headers: {request: {set: {a: "x\\r\\ny"}}}`), "must not contain a line break"],
    ["VirtualService", vs(`${route}, headers: {request: {set: {a: 1}}}`), "must be text"],
  ]);
});

describe("VirtualService accepts", () => {
  accepts([
    ["VirtualService", vs("route: [{destination: {host: a}, weight: 0}]")],
    [
      "VirtualService",
      vs("route: [{destination: {host: a, port: {number: '80'}}, weight: '30'}, {destination: {host: b}, weight: 70}]"),
    ],
    ["VirtualService", `{hosts: ["*"], gateways: [ns/gw], http: [{${route}}]}`],
    ["VirtualService", match("uri: {regex: '(?i)straße\\p{L}\\C|[^é]'}")],
    [
      "VirtualService",
      match(
        "uri: {exact: ''}, headers: {a: {}, cookie: {regex: '^(.*?;)?(user=jason)(;.*)?$'}}, withoutHeaders: {x: {}}, queryParams: {q: {}}, ignoreUriCase: true, port: 80, sourceLabels: {app: a}, gateways: [mesh]",
      ),
    ],
    [
      "VirtualService",
      vs(
        `${route}, retries: {attempts: 3, retryOn: "500, gateway-error", perTryTimeout: 2s, backoff: 25ms}, timeout: 0s`,
      ),
    ],
    [
      "VirtualService",
      vs(
        `${route}, headers: {request: {set: {':authority': b.com}, add: {x: ''}, remove: [y]}, response: {set: {z: '1'}}}`,
      ),
    ],
    [
      "VirtualService",
      vs(`${route}, fault: {abort: {grpcStatus: UNAVAILABLE}, delay: {fixedDelay: 5s, percentage: {value: '0.1'}}}`),
    ],
    ["VirtualService", vs("directResponse: {status: 503, body: {string: ''}}")],
  ]);
});

describe("DestinationRule", () => {
  refuses([
    ["DestinationRule", "{}", "host: is required"],
    ["DestinationRule", "{host: a, subsets: [{name: v1}, {name: v1}]}", 'subsets[1].name: subset "v1" is given twice'],
    ["DestinationRule", "{host: a, subsets: [{name: 'a|b'}]}", "subsets[0].name: must be"],
    ["DestinationRule", "{host: a, subsets: [{name: v1, labels: {version: 1}}]}", "labels.version: must be text"],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {loadBalancer: {simple: ROUND_ROBBIN}}}",
      'did you mean "ROUND_ROBIN"?',
    ],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {loadBalancer: {simple: RANDOM, consistentHash: {useSourceIp: true}}}}",
      "only one of simple, consistentHash",
    ],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {loadBalancer: {consistentHash: {}}}}",
      "one of httpHeaderName, httpCookie",
    ],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {loadBalancer: {consistentHash: {useSourceIp: true, maglev: {tableSize: 100}}}}}",
      "must be a prime number",
    ],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {tls: {mode: MUTUAL}}}",
      "clientCertificate: is required by mode MUTUAL",
    ],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {tls: {mode: ISTIO_MUTUAL, caCertificates: x}}}",
      "caCertificates: cannot be set with mode ISTIO_MUTUAL",
    ],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {tls: {mode: SIMPLE, credentialName: x}}}",
      "credentialName is not supported yet",
    ],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {portLevelSettings: [{port: {number: 80}}, {port: {number: 80}}]}}",
      "port 80 is given twice",
    ],
    ["DestinationRule", "{host: a, trafficPolicy: {portLevelSettings: [{}]}}", "port: is required"],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {outlierDetection: {maxEjectionPercent: 101}}}",
      "must be between 0 and 100",
    ],
    [
      "DestinationRule",
      "{host: a, trafficPolicy: {connectionPool: {tcp: {connectTimeout: 0s}}}}",
      "connectTimeout: must be at least 1ms",
    ],
    ["DestinationRule", "{host: a, workloadSelector: {}}", "workloadSelector is not supported yet"],
  ]);
  accepts([
    ["DestinationRule", "{host: '*.svc.cluster.local', trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}}"],
    [
      "DestinationRule",
      "{host: a, subsets: [{name: v1}, {name: V2_x}], trafficPolicy: {loadBalancer: {consistentHash: {httpCookie: {name: user, ttl: 0s}, maglev: {tableSize: 65537}}}}}",
    ],
  ]);
});

describe("Gateway", () => {
  const server = (fields: string) => `{selector: {istio: gw}, servers: [{hosts: ["*"], ${fields}}]}`;
  const https = "port: {number: 443, name: https, protocol: HTTPS}";
  refuses([
    ["Gateway", "{}", "servers: is required"],
    ["Gateway", "{servers: [{hosts: ['*'], port: {number: 80, name: http, protocol: HTTP}}]}", "selector: is required"],
    [
      "Gateway",
      server("port: {number: 80, name: http, protocol: SPDY}"),
      "protocol: must be one of HTTP, HTTPS, HTTP2, GRPC",
    ],
    ["Gateway", server("port: {number: 80, name: http, protocol: TCP}"), "TCP is not supported yet"],
    ["Gateway", server("port: {number: 70000, name: http, protocol: HTTP}"), "number: must be between 1 and 65535"],
    ["Gateway", server(https), "tls: is required by protocol HTTPS"],
    ["Gateway", server(`${https}, tls: {credentialName: c}`), "tls.mode: is required by protocol HTTPS"],
    ["Gateway", server(`${https}, tls: {mode: SIMPLE}`), "credentialName: is required by protocol HTTPS"],
    ["Gateway", server(`${https}, tls: {mode: MUTUAL, credentialName: c}`), "MUTUAL is not supported yet"],
    [
      "Gateway",
      server("port: {number: 80, name: http, protocol: HTTP}, tls: {mode: SIMPLE}"),
      "tls.mode: needs protocol HTTPS",
    ],
    [
      "Gateway",
      "{selector: {a: b}, servers: [{hosts: [a/b/c], port: {number: 80, name: http, protocol: HTTP}}]}",
      "hosts[0]: must be a host",
    ],
    [
      "Gateway",
      "{selector: {a: b}, servers: [{hosts: [a], port: {number: 80, name: http, protocol: HTTP}}, {hosts: [b], port: {number: 81, name: http, protocol: HTTP}}]}",
      'port name "http" is given twice',
    ],
    [
      "Gateway",
      "{selector: {a: b}, servers: [{hosts: [a], port: {number: 80, name: http, protocol: HTTP}}, {hosts: [b], port: {number: 80, name: b, protocol: HTTPS}, tls: {mode: SIMPLE, credentialName: c}}]}",
      "port 80 is both HTTPS and plaintext",
    ],
  ]);
  accepts([
    ["Gateway", server(`${https}, tls: {mode: SIMPLE, credentialName: c}`)],
    [
      "Gateway",
      "{selector: {a: b}, servers: [{hosts: [./a.com, ns/*.b.com, '*/c.com'], port: {number: 80, name: http, protocol: http2}, tls: {httpsRedirect: true}}]}",
    ],
  ]);
});

describe("ServiceEntry", () => {
  const port = "ports: [{number: 80, name: http, protocol: HTTP}]";
  refuses([
    ["ServiceEntry", `{hosts: [], ${port}}`, "hosts: must not be empty"],
    ["ServiceEntry", "{hosts: [a.com]}", "ports: is required"],
    ["ServiceEntry", `{hosts: ["*"], ${port}}`, "hosts[0]: must not be *"],
    ["ServiceEntry", `{hosts: ["*.a.com"], ${port}, resolution: DNS}`, "a wildcard cannot be looked up"],
    ["ServiceEntry", `{hosts: [a.com], ${port}, resolution: STATIC}`, "endpoints: is required by resolution STATIC"],
    [
      "ServiceEntry",
      `{hosts: [a.com], ${port}, endpoints: [{address: 1.2.3.4}]}`,
      "cannot be given with resolution NONE",
    ],
    [
      "ServiceEntry",
      `{hosts: [a.com], ${port}, resolution: STATIC, endpoints: [{address: b.com}]}`,
      "must be an IP address with resolution STATIC",
    ],
    [
      "ServiceEntry",
      `{hosts: [a.com], ${port}, resolution: DNS, endpoints: [{address: b.com, ports: {grpc: 1}}]}`,
      "is no port of this ServiceEntry",
    ],
    ["ServiceEntry", `{hosts: [a.com], ${port}, addresses: [1.2.3.4/33]}`, "addresses[0]: has no valid prefix length"],
    ["ServiceEntry", `{hosts: [a.com], ${port}, addresses: [x]}`, "addresses[0]: is not an IP address"],
    ["ServiceEntry", `{hosts: [a.com], ${port}, resolution: DNS_ROUND_ROBIN}`, "DNS_ROUND_ROBIN is not supported yet"],
    [
      "ServiceEntry",
      "{hosts: [a.com], ports: [{number: 80, name: a}, {number: 80, name: b}]}",
      "port 80 is given twice",
    ],
  ]);
  accepts([
    [
      "ServiceEntry",
      `{hosts: [a.com], ${port}, resolution: STATIC, location: MESH_INTERNAL, endpoints: [{address: 127.0.0.1, ports: {http: '8080'}, weight: 5}]}`,
    ],
  ]);
});

describe("Sidecar and PeerAuthentication", () => {
  refuses([
    ["Sidecar", "{egress: [{hosts: [a.com]}]}", "must be namespace/host"],
    ["Sidecar", "{egress: [{hosts: []}]}", "hosts: must not be empty"],
    ["Sidecar", "{egress: [{hosts: ['!/a']}]}", "hosts[0]: must be"],
    ["Sidecar", "{ingress: []}", "Sidecar.spec.ingress is not supported yet"],
    ["Sidecar", "{workloadSelector: {}}", "workloadSelector: needs labels"],
    ["PeerAuthentication", "{mtls: {mode: strict}}", 'did you mean "STRICT"?'],
    ["PeerAuthentication", "{portLevelMtls: {'80': {mode: STRICT}}}", "portLevelMtls: needs a selector"],
    ["PeerAuthentication", "{selector: {matchLabels: {a: b}}, portLevelMtls: {http: {mode: STRICT}}}", "is no port"],
  ]);
  accepts([
    [
      "Sidecar",
      "{egress: [{hosts: ['./*', '*/a.com', '~/*', ns/*.b.com]}], outboundTrafficPolicy: {mode: REGISTRY_ONLY}}",
    ],
    ["PeerAuthentication", "{}"],
    ["PeerAuthentication", "{selector: {matchLabels: {a: b}}, portLevelMtls: {8080: {mode: DISABLE}}}"],
  ]);
});

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
  it("warns of a DENY policy that never denies", () => {
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
    expect(faults("AuthorizationPolicy", "spec: {action: DENY}", "warning")).toEqual([
      "rules: a DENY policy without rules never denies anything",
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
    ["QuotaSpec", "{rules: [{quotas: [{quota: a, charge: 1}]}]}", "quota is not supported yet"],
    [
      "QuotaSpec",
      "{rules: [{quotas: [{name: a, maxAmount: 1, interval: 1s, overrides: [{dimensions: {user: x}, maxAmount: 1}]}]}]}",
      'unknown field "user"',
    ],
    [
      "QuotaSpec",
      "{rules: [{match: [{clause: {}}], quotas: [{name: a, maxAmount: 1, interval: 1s}]}]}",
      "clause is not supported yet",
    ],
    ["QuotaSpecBinding", "{services: [{service: '*'}], quotaSpecs: [{name: a}]}", "service is not supported yet"],
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
      "{url: 'file://./a.wasm', phase: AUTHN, priority: -5, pluginConfig: {a: [1, null, {b: c}]}, vmConfig: {env: [{name: A, value: ''}, {name: B, valueFrom: HOST}]}}",
    ],
    ["WasmPlugin", "{url: 'file://a', failStrategy: FAIL_RELOAD}"],
    ["WasmPlugin", "{url: 'oci://a.io/b:v1', imagePullSecret: s}"],
    ["WasmPlugin", "{url: a/b}"],
    ["WasmPlugin", `{url: 'http://127.0.0.1:1/a.wasm', sha256: ${"a1".repeat(32)}}`],
    [
      "RateLimitPolicy",
      limit(
        "key: [{header: x}, {source: principal}, {path: true}], burst: 5, overrides: [{principals: [a], requests: 5}]",
      ),
    ],
    [
      "RateLimitPolicy",
      limit(
        "key: [{claim: [realm, tier]}, {route: true}, {pathTemplate: [/a, '/b/{**}']}, {pathCapture: '/t/{*}/{**}', as: tenant}, {source: remoteIp}]",
      ),
    ],
    [
      "RateLimitPolicy",
      limit(
        "burst: 50, cost: {header: X-Cost, default: 0, min: 0, max: 50}, key: [{header: tier}], overrides: [{values: [gold], perKey: true, requests: 50}]",
      ),
    ],
    [
      "RateLimitPolicy",
      "{limits: [{name: a, key: [{header: x, as: user}], global: {host: rls.infra.svc.cluster.local, port: 8081, domain: shop, descriptor: [{key: a, value: ''}], timeout: 50ms, staleness: 2s, lease: 10, failure: closed}}]}",
    ],
  ]);
});

describe("Kubernetes kinds", () => {
  refuses([
    ["Service", "{ports: [{port: 80}, {port: 81}]}", "ports[0].name: is required when a Service has several ports"],
    ["Service", "{ports: [{port: 80, name: a}, {port: 80, name: b}]}", "is given twice"],
    ["Service", "{ports: [{port: 80, targetPort: 0}]}", "targetPort: must be between 1 and 65535"],
    ["Service", "{selector: {app: 1}}", "selector.app: must be text"],
    ["Deployment", "{}", "template: is required"],
    ["Deployment", "{replicas: -1, template: {}}", "replicas: must be between 0 and 100000"],
    [
      "Deployment",
      "{selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: b}}}}",
      "does not match the labels of the pod template",
    ],
    ["Deployment", "{template: {metadata: {annotations: {scrim.mesh/local-command: ' '}}}}", "must not be empty"],
    [
      "Deployment",
      "{template: {metadata: {annotations: {scrim.mesh/engine: nativ}}}}",
      'must be wasm or native, not "nativ"',
    ],
    ["Deployment", "{template: {spec: {containers: [{env: [{name: A, value: 1}]}]}}}", "env[0].value: must be text"],
    [
      "Deployment",
      "{template: {spec: {containers: [{ports: [{containerPort: 80}, {containerPort: 80}]}]}}}",
      "is given twice",
    ],
  ]);
  it("EndpointSlice addresses are IP addresses", () => {
    expect(faults("EndpointSlice", "addressType: IPv4, endpoints: [{addresses: [localhost]}]").join()).toContain(
      'is not an IP address: "localhost"',
    );
  });
});

describe("Secrets", () => {
  const keys = forge.pki.rsa.generateKeyPair(2_048);
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = keys.publicKey;
  certificate.serialNumber = "01";
  certificate.validity.notBefore = new Date(0);
  certificate.validity.notAfter = new Date(4e12);
  certificate.setSubject([{ name: "commonName", value: "a" }]);
  certificate.setIssuer([{ name: "commonName", value: "a" }]);
  certificate.sign(keys.privateKey, forge.md.sha256.create());
  const certificatePem = JSON.stringify(forge.pki.certificateToPem(certificate));
  const keyPem = JSON.stringify(forge.pki.privateKeyToPem(keys.privateKey));
  const otherPem = JSON.stringify(
    generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }),
  );

  it("of type tls hold a certificate and its key", () => {
    expect(
      faults("Secret", `type: kubernetes.io/tls, stringData: {tls.crt: ${certificatePem}, tls.key: ${keyPem}}`),
    ).toEqual([]);
    expect(
      faults("Secret", `stringData: {cert: ${certificatePem}, key: ${keyPem}, cacert: ${certificatePem}}`),
    ).toEqual([]);
  });

  it("are refused otherwise, and messages never show their content", () => {
    expect(faults("Secret", "type: kubernetes.io/tls")).toEqual([
      'data["tls.crt"]: is required by type kubernetes.io/tls',
      'data["tls.key"]: is required by type kubernetes.io/tls',
    ]);
    expect(faults("Secret", `stringData: {tls.crt: ${certificatePem}, tls.key: ${otherPem}}`)).toEqual([
      'stringData["tls.key"]: is not the key of tls.crt',
    ]);
    expect(faults("Secret", "data: {tls.crt: aGlkZGVu, tls.key: aGlkZGVu}")).toEqual([
      'data["tls.crt"]: is not a PEM certificate',
      'data["tls.key"]: is not a PEM private key',
    ]);
    expect(faults("Secret", "data: {password: 'hidden!'}")).toEqual(["data.password: is not base64"]);
    expect(faults("Secret", "data: {password: {deep: hidden}}").join()).not.toContain("hidden");
  });
});

describe("MeshConfig", () => {
  const config = (text: string, severity?: string) =>
    faults("ConfigMap", `data: {mesh: ${JSON.stringify(text)}}`, severity, "istio", "istio-system");
  it("is checked inside its ConfigMap", () => {
    expect(config("trustDomain: a.b\naccessLogFile: /dev/stdout\ndefaultConfig: {concurrency: 1}\n")).toEqual([]);
    expect(config("trustDomian: a.b")).toEqual([
      'data.mesh: trustDomian: unknown field "trustDomian"; did you mean "trustDomain"?',
    ]);
    expect(config("trustDomain: A:80")).toEqual([
      "data.mesh: trustDomain: must be a domain in lower case, without port",
    ]);
    expect(config("a: [")[0]).toContain("data.mesh: Flow sequence");
    expect(config(`# ${"x".repeat(70_000)}\ntrustDomain: a.b`)).toEqual([
      "data.mesh: is larger than 64 KiB: nothing that it may say takes so much",
    ]);
    expect(config("enableTracing: true", "warning")).toEqual([
      "data.mesh: enableTracing: MeshConfig.enableTracing is not supported yet and has no effect",
    ]);
  });
  it("is not looked for elsewhere", () => {
    expect(faults("ConfigMap", "data: {mesh: 'trustDomian: x'}")).toEqual([]);
  });
});
