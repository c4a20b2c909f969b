// Many rules: the index changes how many are looked at, and nothing else.
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { createHost, type Host } from "proxy-wasm-host";
import { describe, expect, it } from "vitest";
import { linear, type Policy, type Request, request, type Rule, rule } from "./rule-by-rule.ts";

const module = readFileSync(new URL("../build/authz.wasm", import.meta.url));

function decide(host: Host, request: Request): { outcome: string; looked: number } {
  const [namespace, account] = request.principal ?? [];
  const stream = host.newStream({
    headers: {
      ":method": request.method,
      ":path": request.path,
      ":authority": request.host,
      ...(request.roles.length > 0 && { "x-role": [...request.roles] }),
    },
    attributes: {
      source: { address: `${request.ip}:1` },
      ...(namespace && {
        connection: { mtls: true, uri_san_peer_certificate: `spiffe://t/ns/${namespace}/sa/${account}` },
      }),
      metadata: { filter_metadata: { "envoy.filters.http.jwt_authn": { payload: { groups: request.groups } } } },
    },
  });
  const kind = stream.sendRequestHeaders();
  stream.end();
  const [, outcome = "", looked = ""] =
    /^authz: (.*) \(rules looked at: (\d+) of/.exec(host.logged("debug").at(-1) ?? "") ?? [];
  expect(kind.kind === "continue").toBe(outcome.startsWith("allowed"));
  return { outcome, looked: Number(looked) };
}

describe("an index over rules", () => {
  it("decides as looking at one rule after the other would, and names the same one", () => {
    const policies = fc
      .tuple(
        fc.array(fc.array(rule, { maxLength: 30 }), { maxLength: 3 }),
        fc.array(fc.array(rule, { maxLength: 30 }), { maxLength: 3 }),
      )
      .map(([denies, allows]): Policy[] => [
        ...denies.map((rules, index): Policy => ({ name: `n/d${index}`, action: "DENY", rules })),
        ...allows.map((rules, index): Policy => ({ name: `n/a${index}`, action: "ALLOW", rules })),
      ]);
    fc.assert(
      fc.property(policies, fc.array(request, { minLength: 5, maxLength: 30 }), (set, requests) => {
        const host = createHost({ module, configuration: JSON.stringify({ policies: set }) });
        for (const one of requests) expect(decide(host, one).outcome).toBe(linear(set, one));
      }),
      { numRuns: 60 },
    );
  }, 120_000);

  const plain: Request = {
    path: "/x",
    method: "GET",
    host: "a.test",
    roles: [],
    principal: ["shop", "orders"],
    ip: "10.1.1.1",
    groups: [],
  };
  const COUNT = 10_000;
  const many = (ruleOf: (index: number) => Rule, action: Policy["action"]): Policy[] => [
    { name: "n/p", action, rules: Array.from({ length: COUNT }, (_, index) => ruleOf(index)) },
  ];

  it.each<[string, (index: number) => Rule, Request]>([
    ["exact paths", (index) => ({ to: [{ paths: [`/x${index}`] }] }), { ...plain, path: "/x7777" }],
    ["prefixes", (index) => ({ to: [{ paths: [`/t${index}/*`] }] }), { ...plain, path: "/t7777/a" }],
    ["templates", (index) => ({ to: [{ paths: [`/t${index}/{*}/a`] }] }), { ...plain, path: "/t7777/b/a" }],
    [
      "paths of one caller",
      (index) => ({ from: [{ namespaces: ["shop"] }], to: [{ methods: ["GET"], paths: [`/x${index}`] }] }),
      { ...plain, path: "/x7777" },
    ],
    [
      "callers",
      (index) => ({ from: [{ principals: [`t/ns/shop/sa/orders${index}`] }], to: [{ methods: ["GET"] }] }),
      { ...plain, principal: ["shop", "orders7777"] },
    ],
    [
      "service accounts",
      (index) => ({ from: [{ serviceAccounts: [`shop/orders${index}`] }] }),
      { ...plain, principal: ["shop", "orders7777"] },
    ],
    ["namespaces", (index) => ({ from: [{ namespaces: [`n${index}`] }] }), { ...plain, principal: ["n7777", "x"] }],
    ["hosts", (index) => ({ to: [{ hosts: [`h${index}.test`] }] }), { ...plain, host: "h7777.test" }],
    [
      "a header's values",
      (index) => ({ when: [{ key: "request.headers[x-role]", values: [`r${index}`] }] }),
      { ...plain, roles: ["r7777"] },
    ],
    [
      "a claim's values",
      (index) => ({ when: [{ key: "request.auth.claims[groups]", values: [`g${index}`] }] }),
      { ...plain, groups: ["a", "g7777"] },
    ],
    [
      "addresses",
      (index) => ({ from: [{ ipBlocks: [`20.${index >> 8}.${index & 255}.0/24`] }] }),
      { ...plain, ip: `20.${7777 >> 8}.${7777 & 255}.9` },
    ],
  ])(
    "looks at 1 of 10,000 rules on %s",
    (_name, ruleOf, match) => {
      for (const action of ["ALLOW", "DENY"] as const) {
        const host = createHost({ module, configuration: JSON.stringify({ policies: many(ruleOf, action) }) });
        expect(decide(host, match)).toEqual({
          outcome: `${action === "ALLOW" ? "allowed" : "denied"} by n/p[7777]`,
          looked: 1,
        });
        expect(decide(host, plain).looked).toBe(0);
      }
    },
    60_000,
  );

  it("finds one of 10,000 values of one rule without an index over rules", () => {
    const values = Array.from({ length: COUNT }, (_, index) => `/x${index}`);
    const host = createHost({
      module,
      configuration: JSON.stringify({
        policies: [{ name: "n/p", action: "ALLOW", rules: [{ to: [{ paths: values }] }] }],
      }),
    });
    expect(decide(host, { ...plain, path: "/x9999" }).outcome).toBe("allowed by n/p[0]");
    expect(decide(host, { ...plain, path: "/x10000" }).outcome).toBe("denied by none");
  });

  it("finds one of 10,000 blocks of one rule, of whatever length", () => {
    const blocks = [
      ...Array.from({ length: COUNT }, (_, index) => `20.${index >> 8}.${index & 255}.0/24`),
      "2001:db8::/33",
      "30.0.0.0/7",
      "::1",
      "40.1.2.3",
      "fe80::/10",
    ];
    const hosts = (["ALLOW", "DENY"] as const).map((action) =>
      createHost({
        module,
        configuration: JSON.stringify({
          policies: [{ name: "n/p", action, rules: [{ from: [{ ipBlocks: blocks }] }] }],
        }),
      }),
    );
    const isIn = (address: string): boolean[] =>
      hosts.map((host, index) => {
        const stream = host.newStream({ headers: { ":path": "/" }, attributes: { source: { address } } });
        const { kind } = stream.sendRequestHeaders();
        stream.end();
        return (kind === "continue") === (index === 0);
      });
    for (const address of [
      "20.0.0.1:5",
      "20.39.15.255:5",
      "[2001:db8:7fff::1]:5",
      "31.255.255.255:1",
      "[::1]:1",
      "40.1.2.3:1",
      "[febf::1]:1",
    ])
      expect(isIn(address), address).toEqual([true, true]);
    for (const address of [
      "20.39.16.0:5",
      "21.0.0.1:5",
      "[2001:db8:8000::1]:5",
      "32.0.0.0:1",
      "[::2]:1",
      "40.1.2.4:1",
      "[fec0::1]:1",
      "nonsense",
    ])
      expect(isIn(address), address).toEqual([false, false]);
  });

  it("is not led astray by readings that only a refusal counts", () => {
    const host = createHost({
      module,
      configuration: JSON.stringify({
        policies: many(
          (index) =>
            index % 2 ? { to: [{ paths: [`/x${index}`, `/p${index}/*`] }] } : { to: [{ hosts: [`h${index}.test`] }] },
          "DENY",
        ),
      }),
    });
    for (const path of ["/x7777;a", "/x7777%3bb", "/x%37777", "/a/..;/x7777", "/p7777/;x", "/p%37777/a"])
      expect(decide(host, { ...plain, path }), path).toMatchObject({ outcome: "denied by n/p[7777]", looked: 1 });
    for (const name of ["H7776.test", "h7776.test:80", "h7776.test.", "x,h7776.test", "u@h7776.test"])
      expect(decide(host, { ...plain, host: name }), name).toMatchObject({ outcome: "denied by n/p[7776]", looked: 1 });
    const roles = createHost({
      module,
      configuration: JSON.stringify({
        policies: many((index) => ({ when: [{ key: "request.headers[x-role]", values: [`r${index}`] }] }), "DENY"),
      }),
    });
    for (const value of [["a", "r7777"], ["a, r7777 ,b"]])
      expect(decide(roles, { ...plain, roles: value }).outcome).toBe("denied by n/p[7777]");
  });

  it("survives hostile requests", () => {
    const host = createHost({
      module,
      configuration: JSON.stringify({
        policies: [
          ...many(
            (index) => ({
              to: [{ paths: [`/x${index}*`], hosts: [`h${index}`] }],
              when: [{ key: "request.headers[x-role]", values: [`r${index}`] }],
            }),
            "DENY",
          ),
          {
            name: "n/a",
            action: "ALLOW",
            rules: Array.from({ length: 40 }, (_, index) => ({
              from: [{ notIpBlocks: ["10.0.0.0/8"] }, { ipBlocks: [`10.0.0.${index}`] }],
              when: [{ key: "request.auth.claims[a]", values: [String(index)] }],
            })),
          },
        ],
      }),
    });
    const bytes = fc.uint8Array({ maxLength: 40 }).map((value) => Buffer.from(value).toString("latin1"));
    fc.assert(
      fc.property(
        bytes,
        bytes,
        fc.array(bytes, { maxLength: 4 }),
        bytes,
        (hostilePath, authority, roles, attribute) => {
          const stream = host.newStream({
            headers: { ":path": hostilePath, ":authority": authority, "x-role": roles },
            attributes: {
              connection: { mtls: true, uri_san_peer_certificate: attribute },
              source: { address: attribute },
              metadata: { filter_metadata: { "envoy.filters.http.jwt_authn": { payload: { a: attribute } } } },
            },
          });
          stream.sendRequestHeaders();
          stream.end();
        },
      ),
      { numRuns: 500 },
    );
    const oversized: readonly Record<string, string>[] = [
      { ":path": `/${"a".repeat(61_440)}` },
      { ":path": "/", "x-role": ",".repeat(61_440) },
      { ":path": "/", ":authority": ",".repeat(61_440) },
      {},
    ];
    for (const headers of oversized) {
      const stream = host.newStream({ headers, attributes: { source: {} } });
      stream.sendRequestHeaders();
      stream.end();
    }
    expect(host.failure()).toBeUndefined();
  }, 60_000);
});
