import { createHost, type Host } from "proxy-wasm-host";
import { describe, expect, it } from "vitest";
import { ORDERS, decide, module, mtls, start, type Headers } from "./testing.ts";

const NONE = "rbac_access_denied_matched_policy[none],not_allowed_by[n/a]";
const refused = (name: string, rule: number): string => `rbac_access_denied_matched_policy[${name}[${rule}]]`;

describe("order of policies", () => {
  const allow = { name: "n/allow", action: "ALLOW", rules: [{}] };
  const deny = { name: "n/deny", action: "DENY", rules: [{}] };
  it.each<[string, unknown[], string]>([
    ["nothing: allowed", [], "allowed"],
    ["ALLOW all", [allow], "allowed"],
    ["ALLOW without rules refuses all", [{ name: "n/a", action: "ALLOW" }], NONE],
    ["ALLOW with an empty list of rules refuses all", [{ name: "n/a", action: "ALLOW", rules: [] }], NONE],
    ["DENY without rules refuses nothing", [{ name: "n/d", action: "DENY" }], "allowed"],
    ["DENY before ALLOW, in whatever order they stand", [allow, deny], refused("n/deny", 0)],
    ["one ALLOW of several is enough", [{ name: "n/a", action: "ALLOW" }, allow], "allowed"],
    ["a rule without from and to has no conditions", [{ name: "n/a", action: "ALLOW", rules: [{}] }], "allowed"],
  ])("%s", (_name, policies, expected) => {
    expect(decide(start(policies))).toBe(expected);
  });

  it("names the ALLOW policies of which none matched, as many as a log line should hold", () => {
    const allows = (count: number) =>
      Array.from({ length: count }, (_, index) => ({ name: `n/p${index}`, action: "ALLOW" }));
    expect(decide(start(allows(2)))).toBe("rbac_access_denied_matched_policy[none],not_allowed_by[n/p0,n/p1]");
    expect(decide(start(allows(9)))).toBe(
      "rbac_access_denied_matched_policy[none],not_allowed_by[n/p0,n/p1,n/p2,n/p3,n/p4,n/p5,n/p6,n/p7,...]",
    );
  });

  it("answers 403 with a body that names no policy", () => {
    const stream = start([deny]).newStream({ headers: { ":path": "/" } });
    const outcome = stream.sendRequestHeaders();
    if (outcome.kind !== "replied") throw new Error(outcome.kind);
    expect(outcome.reply.status).toBe(403);
    expect(Buffer.from(outcome.reply.body).toString()).toBe("RBAC: access denied");
  });
});

type Case = [name: string, field: object, headers: Headers, attributes: Record<string, unknown>, matches: boolean];

describe("fields", () => {
  const from: Case[] = [
    ["principal", { principals: ["cluster.local/ns/shop/sa/orders"] }, {}, mtls(ORDERS), true],
    ["principal of another", { principals: ["cluster.local/ns/shop/sa/orders"] }, {}, mtls(`${ORDERS}2`), false],
    ["principal prefix", { principals: ["cluster.local/ns/shop/*"] }, {}, mtls(ORDERS), true],
    ["principal suffix", { principals: ["*/sa/orders"] }, {}, mtls(ORDERS), true],
    ["any principal", { principals: ["*"] }, {}, mtls(ORDERS), true],
    ["any principal, plaintext", { principals: ["*"] }, {}, {}, false],
    [
      "any principal, certificate not of mutual TLS",
      { principals: ["*"] },
      {},
      { connection: { uri_san_peer_certificate: ORDERS } },
      false,
    ],
    ["any principal, certificate without identity", { principals: ["*"] }, {}, { connection: { mtls: true } }, false],
    ["any principal, no SPIFFE id", { principals: ["*"] }, {}, mtls("https://x"), false],
    ["empty principal, plaintext", { principals: [""] }, {}, {}, false],
    [
      "principal from a header",
      { principals: ["cluster.local/ns/shop/sa/orders"] },
      { "x-forwarded-client-cert": `URI=${ORDERS}` },
      {},
      false,
    ],
    ["notPrincipals, plaintext", { notPrincipals: ["*"] }, {}, {}, true],
    ["trust domain", { trustDomains: ["cluster.local"] }, {}, mtls(ORDERS), true],
    ["another trust domain", { trustDomains: ["cluster"] }, {}, mtls(ORDERS), false],
    ["trust domain, plaintext", { trustDomains: ["*"] }, {}, {}, false],
    ["notTrustDomains", { notTrustDomains: ["cluster.local"] }, {}, mtls(ORDERS), false],
    ["notTrustDomains, another", { notTrustDomains: ["td1"] }, {}, mtls(ORDERS), true],
    ["namespace", { namespaces: ["shop"] }, {}, mtls(ORDERS), true],
    ["namespace prefix", { namespaces: ["sh*"] }, {}, mtls(ORDERS), true],
    ["namespace a.b is not aXb", { namespaces: ["a.b"] }, {}, mtls("spiffe://t/ns/aXb/sa/x"), false],
    ["notNamespaces", { notNamespaces: ["shop"] }, {}, mtls(ORDERS), false],
    ["service account", { serviceAccounts: ["shop/orders"] }, {}, mtls(ORDERS), true],
    ["service account of another namespace", { serviceAccounts: ["other/orders"] }, {}, mtls(ORDERS), false],
    ["service account a.b is not aXb", { serviceAccounts: ["shop/a.b"] }, {}, mtls("spiffe://t/ns/shop/sa/aXb"), false],
    ["ipBlocks", { ipBlocks: ["10.0.0.0/8"] }, {}, { source: { address: "10.1.1.1:5" } }, true],
    [
      "ipBlocks sees the connection, not X-Forwarded-For",
      { ipBlocks: ["10.0.0.0/8"] },
      {},
      { source: { address: "10.1.1.1:5" }, filter_state: { "scrim.peer_address": "192.0.2.1" } },
      false,
    ],
    [
      "remoteIpBlocks sees X-Forwarded-For",
      { remoteIpBlocks: ["10.0.0.0/8"] },
      {},
      { source: { address: "10.1.1.1:5" }, filter_state: { "scrim.peer_address": "192.0.2.1" } },
      true,
    ],
    ["ipBlocks without an address", { ipBlocks: ["0.0.0.0/0"] }, {}, { source: { address: undefined } }, false],
    ["notIpBlocks", { notIpBlocks: ["10.0.0.0/8"] }, {}, { source: { address: "10.1.1.1:5" } }, false],
    ["two fields must both hold", { principals: ["*"], namespaces: ["other"] }, {}, mtls(ORDERS), false],
  ];
  const to: Case[] = [
    ["host", { hosts: ["a.test"] }, {}, {}, true],
    ["host with other case", { hosts: ["A.Test"] }, { ":authority": "a.TEST" }, {}, true],
    ["host suffix", { hosts: ["*.test"] }, {}, {}, true],
    ["any host", { hosts: ["*"] }, {}, {}, true],
    ["notHosts", { notHosts: ["a.test"] }, {}, {}, false],
    ["port", { ports: ["8080"] }, {}, { destination: { port: 8080 } }, true],
    ["other port", { ports: ["8080"] }, {}, { destination: { port: 80 } }, false],
    ["no port known", { ports: ["8080"] }, {}, {}, false],
    ["notPorts", { notPorts: ["8080"] }, {}, { destination: { port: 8080 } }, false],
    ["method", { methods: ["GET"] }, {}, {}, true],
    ["method with other case", { methods: ["get"] }, {}, {}, false],
    ["method prefix", { methods: ["G*"] }, {}, {}, true],
    ["path", { paths: ["/a"] }, { ":path": "/a" }, {}, true],
    ["path with query", { paths: ["/a"] }, { ":path": "/a?b=/c" }, {}, true],
    ["path with fragment", { paths: ["/a"] }, { ":path": "/a#b" }, {}, true],
    ["path prefix", { paths: ["/a*"] }, { ":path": "/ab/c" }, {}, true],
    ["path suffix", { paths: ["*.js"] }, { ":path": "/x.js?v=1" }, {}, true],
    ["path with other case", { paths: ["/a"] }, { ":path": "/A" }, {}, false],
    ["path template", { paths: ["/a/{*}/c"] }, { ":path": "/a/b/c?d" }, {}, true],
    ["path template over segments", { paths: ["/a/{**}"] }, { ":path": "/a/b/c" }, {}, true],
    ["notPaths", { notPaths: ["/a", "/b"] }, { ":path": "/b" }, {}, false],
    ["methods and paths", { methods: ["GET"], paths: ["/b"] }, { ":path": "/a" }, {}, false],
  ];
  const when: Case[] = [
    ["header", { key: "request.headers[X-Role]", values: ["admin"] }, { "x-role": "admin" }, {}, true],
    ["header absent", { key: "request.headers[x-role]", values: ["*"] }, {}, {}, false],
    ["header empty is present", { key: "request.headers[x-role]", values: ["*"] }, { "x-role": "" }, {}, true],
    ["notValues, absent", { key: "request.headers[x-role]", notValues: ["admin"] }, {}, {}, true],
    ["source.ip", { key: "source.ip", values: ["10.0.0.0/8"] }, {}, { source: { address: "10.1.1.1:1" } }, true],
    ["remote.ip", { key: "remote.ip", values: ["10.0.0.0/8"] }, {}, { source: { address: "11.1.1.1:1" } }, false],
    ["source.namespace", { key: "source.namespace", values: ["shop"] }, {}, mtls(ORDERS), true],
    ["source.trustDomain", { key: "source.trustDomain", values: ["cluster.local"] }, {}, mtls(ORDERS), true],
    ["source.principal", { key: "source.principal", notValues: ["*/sa/orders"] }, {}, mtls(ORDERS), false],
    ["source.serviceAccount", { key: "source.serviceAccount", values: ["shop/orders"] }, {}, mtls(ORDERS), true],
    [
      "destination.ip",
      { key: "destination.ip", values: ["127.0.0.0/8"] },
      {},
      { destination: { address: "127.1.1.1:80" } },
      true,
    ],
    ["destination.port", { key: "destination.port", values: ["80"] }, {}, { destination: { port: 80 } }, true],
    [
      "connection.sni",
      { key: "connection.sni", values: ["*.test"] },
      {},
      { connection: { requested_server_name: "a.test" } },
      true,
    ],
    ["connection.sni, absent", { key: "connection.sni", values: ["*"] }, {}, {}, false],
  ];
  const rule = (kind: string, field: object): object => (kind === "when" ? { when: [field] } : { [kind]: [field] });

  it.each([
    ...from.map((one) => ["from", ...one] as const),
    ...to.map((one) => ["to", ...one] as const),
    ...when.map((one) => ["when", ...one] as const),
  ])("%s: %s", (kind, _name, field, headers, attributes, matches) => {
    const rules = [rule(kind, field)];
    expect(decide(start([{ name: "n/a", action: "ALLOW", rules }]), headers, attributes)).toBe(
      matches ? "allowed" : NONE,
    );
    expect(decide(start([{ name: "n/d", action: "DENY", rules }]), headers, attributes)).toBe(
      matches ? refused("n/d", 0) : "allowed",
    );
  });

  it("names the rule that matched", () => {
    const host = start([
      {
        name: "n/d",
        action: "DENY",
        rules: [
          { to: [{ paths: ["/x"] }] },
          { from: [{ principals: ["no"] }, { principals: ["*"] }], to: [{ paths: ["/y"] }, { paths: ["/z"] }] },
        ],
      },
    ]);
    expect(decide(host, { ":path": "/z" }, mtls(ORDERS))).toBe(refused("n/d", 1));
    expect(decide(host, { ":path": "/z" })).toBe("allowed");
    expect(host.logged("debug").at(-2)).toBe("authz: denied by n/d[1] (rules looked at: 2 of 2)");
    expect(host.metrics.counter("scrim_authz_denied_total")).toBe(1);
    expect(host.metrics.counter("scrim_authz_allowed_total")).toBe(1);
  });
});

describe("what can be read in two ways goes against the client", () => {
  const policies = (operation: object): Host[] =>
    ["ALLOW", "DENY"].map((action) => start([{ name: "n/p", action, rules: [{ to: [operation] }] }]));
  const outcomes = (hosts: Host[], headers: Headers): boolean[] =>
    hosts.map((host) => decide(host, headers) === "allowed");

  it.each<[string, string, boolean]>([
    // pattern, path, whether a DENY keeps it out; an ALLOW lets in nothing but what matches as it stands
    ["/a:b", "/a%3ab", true],
    ["/a%3Ab", "/a%3ab", true],
    ["/a%3Ab", "/a:b", true],
    ["/admin", "/admin;x", true],
    ["/admin", "/admin%3bx=1;y", true],
    ["/admin", "/admin%23x", true],
    ["/admin", "/admin%3Fx", true],
    ["/admin", "/admin%20%0a", true],
    ["/admin", "/public;x/%2e.;y/admin", true],
    ["/admin", "/;x/admin", true],
    ["/admin/*", "/x/..;/admin/y", true],
    ["/admin/{*}", "/admin;a/x;b", true],
    ["/admin", "/%2561dmin", false],
    ["/admin", "/admin%", false],
    ["/admin", "/admin%4", false],
    ["/admin", "/x;/admin", false],
    ["/admin", ";/../..;", false],
  ])("path %s and %s", (pattern, path, kept) => {
    expect(outcomes(policies({ paths: [pattern] }), { ":path": path })).toEqual([false, !kept]);
    expect(outcomes(policies({ notPaths: [pattern] }), { ":path": path })).toEqual([!kept, false]);
  });

  it.each<[object, Headers, boolean, boolean]>([
    // operation, request, whether an ALLOW lets in, whether a DENY keeps out
    [{ paths: ["/admin"] }, { ":path": "//admin" }, false, true],
    [{ paths: ["/admin"] }, { ":path": "/%5cadmin" }, false, true],
    [{ paths: ["/admin"] }, { ":path": "/\\admin" }, false, true],
    [{ paths: ["/admin"] }, { ":path": "/x/../admin" }, false, true],
    [{ paths: ["/admin"] }, { ":path": "/x/..%2fadmin" }, false, true],
    [{ paths: ["/admin/x"] }, { ":path": "/admin//../x" }, false, true],
    [{ paths: ["/x"] }, { ":path": "/admin//../x" }, false, true],
    [{ paths: ["/public/*"] }, { ":path": "/public/..%2fsecret" }, false, true],
    [{ paths: ["/public/*"] }, { ":path": "/public/%2e%2e;/secret" }, false, true],
    [{ paths: ["/public/*"] }, { ":path": "/public/a%2fb//c" }, true, true],
    [{ paths: ["/*"] }, { ":path": "/public/..%2fsecret" }, true, true],
    [{ paths: ["/q/%2F/*"] }, { ":path": "/q/%2F/orders" }, true, true],
    [{ paths: ["/q/%2F/*"] }, { ":path": "/q/%2f/orders" }, false, true],
    [{ paths: ["/q/%2F/*"] }, { ":path": "/q/orders" }, false, false],
    [{ paths: ["/q/%2F/*"] }, { ":path": "/q/or%20ders" }, false, false],
    [{ paths: ["//*"] }, { ":path": "/or%20ders" }, false, false],
    [{ paths: ["//*"] }, { ":path": "/%2Forders" }, false, true],
    [{ paths: ["/a//b"] }, { ":path": "/a/b" }, false, false],
    [{ paths: ["/a//b"] }, { ":path": "/a/%5Cb" }, false, true],
    [{ paths: ["/a//b"] }, { ":path": "/x/..;/a//b" }, false, true],
  ])("%j and %j", (operation, headers, letIn, keptOut) => {
    expect(outcomes(policies(operation), headers)).toEqual([letIn, !keptOut]);
  });

  it.each<[Headers, boolean, boolean]>([
    [{ x_role: "admin" }, false, true],
    [{ "x-role": "admin", x_role: "user" }, false, true],
    [{ "x-role": "user", x_role: "admin" }, false, true],
    [{ "x-role": "admin", x_role: "admin" }, true, true],
    [{ "x-role": "admin", x_roles: "user" }, true, true],
  ])("x-role in %j", (headers, letIn, keptOut) => {
    const rules = [{ when: [{ key: "request.headers[x-role]", values: ["admin"] }] }];
    const hosts = ["ALLOW", "DENY"].map((action) => start([{ name: "n/p", action, rules }]));
    expect(outcomes(hosts, headers)).toEqual([letIn, !keptOut]);
  });

  it("every byte, encoded, is what it stands for where a DENY looks", () => {
    for (let byte = 1; byte < 256; byte++) {
      const plain = String.fromCharCode(byte);
      // Those end a path, hold it together or are no single character of a policy's UTF-8.
      if ("/;?#*{}.".includes(plain) || byte <= 0x20 || byte > 0x7f) continue;
      const hosts = policies({ paths: [`/a${plain}b`] });
      for (const hex of [byte.toString(16).padStart(2, "0"), byte.toString(16).padStart(2, "0").toUpperCase()]) {
        expect(outcomes(hosts, { ":path": `/a%${hex}b` }), hex).toEqual([
          plain === "%" && `/a%${hex}b` === "/a%b",
          false,
        ]);
      }
    }
  });

  it.each([
    "a.test,b.test",
    "b.test,a.test",
    "b.test, a.test",
    "user@a.test",
    "b.test@a.test:80",
    "a.test:80:80",
    "a.test.:80",
    "A.TEST:",
    "[a.test]:80,a.test",
  ])("host %s", (host) => {
    expect(outcomes(policies({ hosts: ["a.test"] }), { ":authority": host })).toEqual([false, false]);
    expect(outcomes(policies({ notHosts: ["a.test"] }), { ":authority": host })).toEqual([false, false]);
  });

  it.each(["evil,x.test", "evil@x.test", "x.test@evil.test"])("host %s before a wildcard", (host) => {
    expect(outcomes(policies({ hosts: ["*.test"] }), { ":authority": host })).toEqual([false, false]);
  });
  const header = { key: "request.headers[x-role]" };
  const allow = start([
    { name: "n/a", action: "ALLOW", rules: [{ when: [{ ...header, values: ["admin", "ops*"] }] }] },
  ]);
  const allowNot = start([{ name: "n/a", action: "ALLOW", rules: [{ when: [{ ...header, notValues: ["banned"] }] }] }]);
  const deny = start([{ name: "n/d", action: "DENY", rules: [{ when: [{ ...header, values: ["banned"] }] }] }]);
  const denyNot = start([{ name: "n/d", action: "DENY", rules: [{ when: [{ ...header, notValues: ["admin"] }] }] }]);

  it.each<[string, string[], boolean, boolean, boolean, boolean]>([
    ["one value that is let in", ["admin"], true, true, true, true],
    ["let in, then another", ["admin", "user"], false, true, true, false],
    ["another, then let in", ["user", "admin"], false, true, true, false],
    ["joined", ["user,admin"], false, true, true, false],
    ["a prefix with another value behind it", ["ops1", "banned"], false, false, false, false],
    ["kept out, first", ["banned", "user"], false, false, false, false],
    ["kept out, second", ["user", "banned"], false, false, false, false],
    ["kept out, joined with spaces", ["user , banned ,x"], false, false, false, false],
    ["none", [], false, true, true, false],
  ])("%s", (_name, roles, allowed, allowedNot, passesDeny, passesDenyNot) => {
    const headers = { "x-role": roles };
    expect(decide(allow, headers) === "allowed").toBe(allowed);
    expect(decide(allowNot, headers) === "allowed").toBe(allowedNot);
    expect(decide(deny, headers) === "allowed").toBe(passesDeny);
    expect(decide(denyNot, headers) === "allowed").toBe(passesDenyNot);
  });

  it.each(["a.test", "A.TEST", "a.test:80", "a.test.", "a.test.:443"])(
    "host %s is a.test for a refusal",
    (authority) => {
      expect(
        decide(start([{ name: "n/d", action: "DENY", rules: [{ to: [{ hosts: ["a.test"] }] }] }]), {
          ":authority": authority,
        }),
      ).toBe(refused("n/d", 0));
      expect(
        decide(start([{ name: "n/a", action: "ALLOW", rules: [{ to: [{ notHosts: ["a.test"] }] }] }]), {
          ":authority": authority,
        }),
      ).toBe(NONE);
      expect(
        decide(start([{ name: "n/a", action: "ALLOW", rules: [{ to: [{ hosts: ["a.test"] }] }] }]), {
          ":authority": authority,
        }) === "allowed",
      ).toBe(!/[.:]\d*$/.test(authority));
    },
  );

  it("lets nothing in when Envoy shows no headers", () => {
    const host = createHost({
      module,
      configuration: JSON.stringify({
        policies: [{ name: "n/d", action: "DENY", rules: [{ to: [{ paths: ["/x"] }] }] }],
      }),
      intercept: (call) => (call.name === "proxy_get_header_map_pairs" ? 10 : undefined),
    });
    expect(decide(host)).toBe("rbac_access_denied_matched_policy[none]");
  });
});
