// Many rules: the index changes how many are looked at, and nothing else.
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { createHost, type Host } from "proxy-wasm-host";
import { describe, expect, it } from "vitest";

const module = readFileSync(new URL("../build/authz.wasm", import.meta.url));

interface Request {
  readonly path: string;
  readonly method: string;
  readonly host: string;
  readonly roles: readonly string[];
  readonly principal: readonly [namespace: string, account: string] | undefined;
  readonly ip: string;
  readonly groups: readonly string[];
}

interface Source {
  principals?: string[];
  namespaces?: string[];
  serviceAccounts?: string[];
  ipBlocks?: string[];
  notNamespaces?: string[];
}
interface Operation {
  paths?: string[];
  methods?: string[];
  hosts?: string[];
  notPaths?: string[];
}
interface When {
  key: string;
  values: string[];
}
interface Rule {
  from?: Source[];
  to?: Operation[];
  when?: When[];
}
interface Policy {
  name: string;
  action: "ALLOW" | "DENY";
  rules: Rule[];
}

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

// What Istio documents, one rule after the other; requests here can be read in one way only.

const fits = (pattern: string, value: string): boolean =>
  pattern === "*"
    ? value !== ""
    : pattern.startsWith("*")
      ? value.endsWith(pattern.slice(1))
      : pattern.endsWith("*")
        ? value.startsWith(pattern.slice(0, -1))
        : value === pattern;
const any = (patterns: readonly string[] | undefined, value: string | undefined): boolean =>
  patterns === undefined || (value !== undefined && patterns.some((pattern) => fits(pattern, value)));
const inBlock = (block: string, ip: string): boolean =>
  block.endsWith("/8")
    ? ip.split(".")[0] === block.split(".")[0]
    : block.endsWith("/24")
      ? ip.split(".").slice(0, 3).join() === block.split(".").slice(0, 3).join()
      : block === ip;

function sourceFits(source: Source, { principal, ip }: Request): boolean {
  const [namespace, account] = principal ?? [];
  return (
    any(source.principals, principal && `t/ns/${namespace}/sa/${account}`) &&
    any(source.namespaces, namespace) &&
    any(source.serviceAccounts, principal && `${namespace}/${account}`) &&
    (source.ipBlocks === undefined || source.ipBlocks.some((block) => inBlock(block, ip))) &&
    (source.notNamespaces === undefined || namespace === undefined || !any(source.notNamespaces, namespace))
  );
}

const operationFits = ({ paths, methods, hosts, notPaths }: Operation, { path, method, host }: Request): boolean =>
  any(paths, path) && any(methods, method) && any(hosts, host) && (notPaths === undefined || !any(notPaths, path));
const whenFits = ({ key, values }: When, { roles, groups }: Request): boolean =>
  (key.includes("headers") ? roles : groups).some((value) => any(values, value));
const ruleFits = ({ from, to, when }: Rule, request: Request): boolean =>
  (from === undefined || from.some((source) => sourceFits(source, request))) &&
  (to === undefined || to.some((operation) => operationFits(operation, request))) &&
  (when ?? []).every((one) => whenFits(one, request));

function linear(policies: readonly Policy[], request: Request): string {
  const match = (action: string): string | undefined => {
    for (const { name, rules } of policies.filter((policy) => policy.action === action)) {
      const index = rules.findIndex((rule) => ruleFits(rule, request));
      if (index >= 0) return `${name}[${index}]`;
    }
    return undefined;
  };
  const denied = match("DENY");
  if (denied) return `denied by ${denied}`;
  if (policies.every(({ action }) => action === "DENY")) return "allowed by none";
  const allowed = match("ALLOW");
  return allowed ? `allowed by ${allowed}` : "denied by none";
}

// Few words, so that much matches.
const word = fc.constantFrom("a", "b", "c", "ab");
const pattern = fc.oneof({ weight: 5, arbitrary: word }, { weight: 1, arbitrary: fc.constantFrom("*", "a*", "*b") });
const listOf = <T>(one: fc.Arbitrary<T>) => fc.array(one, { minLength: 1, maxLength: 3 });
const path = fc.tuple(word, word).map(([one, two]) => `/${one}/${two}`);
const pathPattern = fc.oneof(
  { weight: 3, arbitrary: path },
  { weight: 2, arbitrary: word.map((one) => `/${one}/*`) },
  { weight: 1, arbitrary: fc.constantFrom("*", "/*", "/a*", "*/b") },
);
const block = fc.constantFrom("10.0.0.0/8", "10.1.1.0/24", "10.1.1.1", "11.2.2.2");
const principal = fc.tuple(word, word);
const source = fc.record(
  {
    principals: listOf(
      fc.oneof(
        { weight: 4, arbitrary: principal.map(([namespace, account]) => `t/ns/${namespace}/sa/${account}`) },
        { weight: 1, arbitrary: fc.constantFrom("*", "t/ns/a/*", "*/sa/b") },
      ),
    ),
    namespaces: listOf(pattern),
    serviceAccounts: listOf(principal.map((parts) => parts.join("/"))),
    ipBlocks: listOf(block),
    notNamespaces: listOf(pattern),
  },
  { requiredKeys: [] },
);
const operation = fc.record(
  {
    paths: listOf(pathPattern),
    methods: listOf(fc.constantFrom("GET", "PUT", "*")),
    hosts: listOf(pattern),
    notPaths: listOf(pathPattern),
  },
  { requiredKeys: [] },
);
const when = fc.record({
  key: fc.constantFrom("request.headers[x-role]", "request.auth.claims[groups]"),
  values: listOf(pattern),
});
const rule: fc.Arbitrary<Rule> = fc.record(
  { from: listOf(source), to: listOf(operation), when: fc.array(when, { minLength: 1, maxLength: 2 }) },
  { requiredKeys: [] },
);
const request: fc.Arbitrary<Request> = fc.record({
  path,
  method: fc.constantFrom("GET", "PUT"),
  host: word,
  roles: fc.array(word, { maxLength: 1 }),
  principal: fc.option(principal, { nil: undefined }),
  ip: fc.constantFrom("10.1.1.1", "10.9.9.9", "11.2.2.2", "12.1.1.1"),
  groups: fc.array(word, { maxLength: 3 }),
});

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
