import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { createHost, createHostRunner, type Host, scenarioProblems, startHost } from "proxy-wasm-host";
import { describe, expect, it } from "vitest";
import { modulePath } from "../module-path.ts";
import { scenarios } from "./router.scenarios.ts";

const file = (name: string): Buffer => readFileSync(new URL(name, import.meta.url));
const module = file("../build/router.wasm");
const schema = new Ajv2020({ strict: false }).compile(JSON.parse(file("rules.schema.json").toString()));

type Headers = Record<string, string | string[]>;
const metadata = (rules: unknown, id = JSON.stringify(rules)) => ({
  xds: {
    virtual_host_metadata: {
      filter_metadata: { "scrim.router": { id, rules: typeof rules === "string" ? rules : JSON.stringify(rules) } },
    },
  },
});
const host = createHost({ module, configuration: "{}" });

/** The key chosen, undefined when nothing was chosen. */
function choose(
  rules: unknown,
  headers: Headers = {},
  on: Host = host,
  id?: string,
  attributes: object = {},
): string | undefined {
  const stream = on.newStream({
    headers: { ":method": "GET", ":path": "/", ":authority": "reviews", ":scheme": "http", ...headers },
    attributes: rules === undefined ? {} : ({ ...metadata(rules, id), ...attributes } as never),
  });
  expect(stream.sendRequestHeaders().kind).toBe("continue");
  const key = stream.filterState("scrim.route");
  expect(stream.routeCacheCleared).toBe(key === undefined ? 0 : 1);
  stream.end();
  return key;
}

const only = (match: object): unknown => ({ routes: [{ key: "yes", match }] });

describe("scenarios", () => {
  const runner = createHostRunner(modulePath);
  it.each(scenarios.map((scenario) => [scenario.name, scenario] as const))("%s", async (_name, scenario) => {
    expect(scenarioProblems(scenario, await runner.run(scenario))).toEqual([]);
  });
});

describe("one condition", () => {
  it.each<[string, object, Headers, boolean]>([
    ["no condition", {}, {}, true],
    ["uri exact", { uri: { exact: "/a" } }, { ":path": "/a?b" }, true],
    ["uri exact, longer", { uri: { exact: "/a" } }, { ":path": "/ab" }, false],
    ["uri prefix is a plain string prefix", { uri: { prefix: "/a" } }, { ":path": "/abc" }, true],
    ["uri prefix does not see the query", { uri: { prefix: "/a?b" } }, { ":path": "/a?b" }, false],
    ["uri regex, whole path", { uri: { regex: "/a/\\d+" } }, { ":path": "/a/12?x" }, true],
    ["uri regex, part of the path", { uri: { regex: "/a" } }, { ":path": "/ab" }, false],
    ["uri case counts", { uri: { exact: "/A" } }, { ":path": "/a" }, false],
    ["ignoreUriCase, exact", { uri: { exact: "/A" }, ignoreUriCase: true }, { ":path": "/a" }, true],
    ["ignoreUriCase, prefix", { uri: { prefix: "/A" }, ignoreUriCase: true }, { ":path": "/aB" }, true],
    ["method", { method: { exact: "GET" } }, {}, true],
    ["method regex", { method: { regex: "PUT|POST" } }, {}, false],
    ["authority", { authority: { prefix: "rev" } }, {}, true],
    ["scheme", { scheme: { exact: "https" } }, {}, false],
    ["header exact", { headers: { "End-User": { exact: "jason" } } }, { "end-user": "jason" }, true],
    ["header of other case", { headers: { "end-user": { exact: "jason" } } }, { "end-user": "Jason" }, false],
    ["header absent", { headers: { "end-user": { exact: "" } } }, {}, false],
    ["header empty", { headers: { "end-user": { exact: "" } } }, { "end-user": "" }, true],
    ["header repeated, one of its values", { headers: { x: { exact: "b" } } }, { x: ["a", "b"] }, true],
    ["header repeated is not joined", { headers: { x: { exact: "a,b" } } }, { x: ["a", "b"] }, false],
    ["withoutHeaders, one of several values", { withoutHeaders: { x: { exact: "b" } } }, { x: ["a", "b"] }, false],
    ["withoutHeaders, none of several values", { withoutHeaders: { x: { exact: "c" } } }, { x: ["a", "b"] }, true],
    ["header present", { headers: { x: {} } }, { x: "" }, true],
    ["header present, said so", { headers: { x: { present: true } } }, {}, false],
    ["header with an empty prefix is presence", { headers: { x: { prefix: "" } } }, { x: "y" }, true],
    [
      "cookie by regex",
      { headers: { cookie: { regex: "^(.*?;\\s*)?(user=jason)(;.*)?$" } } },
      { cookie: "a=b; user=jason; c=d" },
      true,
    ],
    [
      "cookie by regex, another",
      { headers: { cookie: { regex: "^(.*?;\\s*)?(user=jason)(;.*)?$" } } },
      { cookie: "superuser=jason" },
      false,
    ],
    ["withoutHeaders, matching", { withoutHeaders: { x: { exact: "a" } } }, { x: "a" }, false],
    ["withoutHeaders, other value", { withoutHeaders: { x: { exact: "a" } } }, { x: "b" }, true],
    ["withoutHeaders, absent", { withoutHeaders: { x: { exact: "a" } } }, {}, true],
    ["withoutHeaders, absent counts as empty", { withoutHeaders: { x: { regex: "a*" } } }, {}, false],
    ["withoutHeaders, any value by regex is presence", { withoutHeaders: { x: { regex: ".*" } } }, {}, true],
    ["uri by the regex *", { uri: { regex: "*" } }, {}, true],
    ["header by the regex *", { headers: { x: { regex: "*" } } }, {}, false],
    ["withoutHeaders {}, absent", { withoutHeaders: { x: {} } }, {}, true],
    ["withoutHeaders {}, empty", { withoutHeaders: { x: {} } }, { x: "" }, false],
    ["query", { queryParams: { q: { exact: "1" } } }, { ":path": "/?q=1" }, true],
    ["query, first value", { queryParams: { q: { exact: "2" } } }, { ":path": "/?q=1&q=2" }, false],
    ["query names have case", { queryParams: { Q: { exact: "1" } } }, { ":path": "/?q=1" }, false],
    ["query not decoded", { queryParams: { q: { exact: "a b" } } }, { ":path": "/?q=a%20b" }, false],
    ["query present", { queryParams: { q: {} } }, { ":path": "/?q" }, true],
    ["header one of several lines", { headers: { x: { lines: "a\nb c\nd" } } }, { x: "b c" }, true],
    ["header a part of a line", { headers: { x: { lines: "a\nb c\nd" } } }, { x: "b" }, false],
    ["header empty, an empty line", { headers: { x: { lines: "a\n" } } }, { x: "" }, true],
    ["a claim without a token", { claims: { "[sub]": { exact: "a" } } }, {}, false],
    ["withoutClaims without a token", { withoutClaims: { "[sub]": {} } }, {}, true],
    ["all must hold", { uri: { prefix: "/" }, headers: { x: { exact: "a" }, y: {} } }, { x: "a" }, false],
  ])("%s", (_name, match, headers, matches) => {
    expect(choose(only(match), headers)).toBe(matches ? "yes" : "none");
  });
});

describe("the choice", () => {
  const rules = {
    routes: [
      { key: "0", match: { headers: { a: {} } } },
      { key: "1", match: { headers: { b: {} } } },
      { key: "2", match: { headers: { a: {}, b: {} } } },
      { key: "3" },
    ],
  };

  it("is the first rule that matches", () => {
    expect(choose(rules, { a: "", b: "" })).toBe("0");
    expect(choose(rules, { b: "" })).toBe("1");
    expect(choose(rules)).toBe("3");
  });

  it("is not made where the virtual host has no rules, and no header can make it", () => {
    expect(choose(undefined, { "scrim.route": "0", "wasm.scrim.route": "0", "x-scrim-route": "0" })).toBeUndefined();
    expect(choose(rules, { "scrim.route": "0", "wasm.scrim.route": "0", "x-scrim-route": "0" })).toBe("3");
  });

  it("follows the content's id", () => {
    const fresh = createHost({ module, configuration: "{}" });
    expect(choose(only({}), {}, fresh, "v1")).toBe("yes");
    expect(choose({ routes: [{ key: "other" }] }, {}, fresh, "v1")).toBe("yes");
    expect(choose({ routes: [{ key: "other" }] }, {}, fresh, "v2")).toBe("other");
  });

  it.each<[unknown, string]>([
    ["{", "not JSON"],
    [{ routes: [{ key: "" }] }, "routes[0].key: expected a key"],
    [{ routes: [{ key: "a", match: { uri: { suffix: "x" } } }] }, "routes[0].match.uri.suffix: unknown field"],
    [
      { routes: [{ key: "a", match: { uri: { exact: "a", prefix: "b" } } }] },
      "routes[0].match.uri: expected only one of",
    ],
    [
      { routes: [{ key: "a", match: { headers: { x: { regex: "(" } } } }] },
      "routes[0].match.headers.x.regex: missing )",
    ],
    [{ routes: [{ key: "a", match: { port: 80 } }] }, "routes[0].match.port: unknown field"],
  ])("rules with a mistake match nothing and say so: %j", (rules, message) => {
    const fresh = createHost({ module, configuration: "{}" });
    expect(choose(rules, {}, fresh, "bad")).toBe("none");
    expect(choose(rules, {}, fresh, "bad")).toBe("none");
    expect(fresh.logged("error").filter((line) => line.includes(message))).toHaveLength(1);
    expect(fresh.metrics.counter("scrim_router_refused_total")).toBe(1);
  });

  it("refuses a plugin configuration that is not empty", () => {
    const result = startHost({ module, configuration: '{"routes":[]}' });
    expect(result.kind === "failed" ? result.message : "accepted").toContain("routes: unknown field");
    expect(startHost({ module }).kind).toBe("started");
  });

  it("the example is valid, and works", () => {
    const example = JSON.parse(file("rules.example.json").toString()) as unknown;
    expect(schema(example)).toBe(true);
    expect(choose(example, { cookie: "tier=gold" })).toBe("0.1");
  });
});

const token = (payload: object): object => ({
  metadata: { filter_metadata: { "envoy.filters.http.jwt_authn": { payload } } },
});

describe("claims of a verified token", () => {
  it.each<[string, object, object, boolean]>([
    ["exact", { claims: { "[sub]": { exact: "anna" } } }, { sub: "anna" }, true],
    ["another", { claims: { "[sub]": { exact: "anna" } } }, { sub: "annabel" }, false],
    ["prefix", { claims: { "[sub]": { prefix: "ann" } } }, { sub: "anna" }, true],
    ["regex", { claims: { "[sub]": { regex: "[a-n]+" } } }, { sub: "anna" }, true],
    ["inside a map", { claims: { "[realm][role]": { exact: "admin" } } }, { realm: { role: "admin" } }, true],
    ["one of a list", { claims: { "[groups]": { exact: "beta" } } }, { groups: ["alpha", "beta"] }, true],
    ["none of a list", { claims: { "[groups]": { exact: "gamma" } } }, { groups: ["alpha", "beta"] }, false],
    ["present", { claims: { "[sub]": {} } }, { sub: "x" }, true],
    ["not present", { claims: { "[aud]": {} } }, { sub: "x" }, false],
    ["a number is no text", { claims: { "[n]": { exact: "1" } } }, { n: 1 }, false],
    ["without, matching", { withoutClaims: { "[sub]": { exact: "anna" } } }, { sub: "anna" }, false],
    ["without, another", { withoutClaims: { "[sub]": { exact: "anna" } } }, { sub: "bert" }, true],
  ])("%s", (_name, match, payload, matches) => {
    expect(choose(only(match), {}, host, undefined, token(payload))).toBe(matches ? "yes" : "none");
  });

  it("are not what a client says they are", () => {
    const rules = only({ claims: { "[sub]": { exact: "anna" } } });
    expect(
      choose(rules, {
        "@request.auth.claims.sub": "anna",
        "x-jwt-payload": "eyJzdWIiOiJhbm5hIn0",
        sub: "anna",
        authorization: "Bearer e30.eyJzdWIiOiJhbm5hIn0.",
      }),
    ).toBe("none");
  });
});

interface Share {
  readonly key: string;
  readonly id: string;
  readonly weight: number;
}
const split = (by: object, weights: Record<string, number>, salt = "default/reviews"): unknown => ({
  routes: [
    {
      key: "drawn",
      split: { by, salt, shares: Object.entries(weights).map(([id, weight]): Share => ({ key: id, id, weight })) },
    },
  ],
});
const byUser = { header: "x-user" };

describe("a sticky split", () => {
  const users = Array.from({ length: 2000 }, (_, i) => `user-${i}`);
  const drawn = (weights: Record<string, number>, on: Host = host, salt?: string): string[] =>
    users.map((user) => choose(split(byUser, weights, salt), { "x-user": user }, on) ?? "");

  it("gives every share its part, and the same answer in every proxy and after every restart", () => {
    const choices = drawn({ v1: 70, v2: 20, v3: 10 });
    const count = (share: string): number => choices.filter((choice) => choice === share).length / users.length;
    for (const [share, part] of [
      ["v1", 0.7],
      ["v2", 0.2],
      ["v3", 0.1],
    ] as const)
      expect(Math.abs(count(share) - part)).toBeLessThan(0.04);
    expect(drawn({ v1: 70, v2: 20, v3: 10 }, createHost({ module, configuration: "{}" }))).toEqual(choices);
    expect(choices.slice(0, 12).join(" ")).toBe("v1 v2 v1 v3 v1 v1 v1 v2 v1 v1 v1 v1");
  });

  it("moves keys into a share that grows, and none out of it or between others", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 99 }),
        fc.integer({ min: 1, max: 99 }),
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 40 }),
        (a, b, c, more) => {
          for (const user of users.slice(0, 40)) {
            const before = choose(split(byUser, { v1: a, v2: b, v3: c }), { "x-user": user });
            const after = choose(split(byUser, { v3: c + more, v1: a, v2: b }), { "x-user": user });
            expect(after === before || after === "v3").toBe(true);
          }
        },
      ),
      { numRuns: 25 },
    );
    let members = new Set<string>();
    for (const percent of [1, 5, 25, 75]) {
      const choices = drawn({ old: 100 - percent, new: percent });
      const now = new Set(users.filter((_, i) => choices[i] === "new"));
      expect([...members].filter((user) => !now.has(user))).toEqual([]);
      members = now;
    }
  });

  it("draws anew with another salt", () => {
    const [one, other] = [drawn({ v1: 50, v2: 50 }, host, "a"), drawn({ v1: 50, v2: 50 }, host, "b")];
    const same = one.filter((choice, i) => choice === other[i]).length / users.length;
    expect(same).toBeGreaterThan(0.45);
    expect(same).toBeLessThan(0.55);
  });

  it.each<[string, object, Headers, object]>([
    ["cookie", { cookie: "user" }, { cookie: ["a=b", "c=d; user=anna"] }, {}],
    ["query parameter", { query: "user" }, { ":path": "/?x=1&user=anna" }, {}],
    ["claim", { claim: "[sub]" }, {}, token({ sub: "anna" })],
    ["address", { source: "ip" }, {}, { source: { address: "10.1.2.3:4567" } }],
  ])("draws by %s", (_name, by, headers, attributes) => {
    const rules = split(by, { v1: 50, v2: 50 });
    const key = choose(rules, headers, host, undefined, attributes);
    expect(["v1", "v2"]).toContain(key);
    for (let i = 0; i < 5; i++)
      expect(choose(rules, { ...headers, "x-noise": String(i) }, host, undefined, attributes)).toBe(key);
  });

  it("leaves a request without the value to the rule's own key", () => {
    expect(choose(split(byUser, { v1: 50, v2: 50 }))).toBe("drawn");
    expect(choose(split(byUser, { v1: 50, v2: 50 }), { "x-user": "" })).toBe("drawn");
    expect(choose(split({ claim: "[sub]" }, { v1: 1 }), { sub: "anna" })).toBe("drawn");
  });
});

describe("large tables", () => {
  /** How many rules the last decision looked at. */
  const tried = (on: Host): number =>
    Number(
      / tried (\d+) of/.exec(
        on
          .logged("debug")
          .filter((line) => line.includes(" tried "))
          .at(-1) ?? "",
      )?.[1],
    );
  const tenants = Array.from({ length: 10_000 }, (_, i) => `tenant-${(i * 7919) % 10_000}`);

  it("finds one of 10,000 rules by looking at one, and the rules before it that may match too", () => {
    const fresh = createHost({ module, configuration: "{}" });
    const exact = tenants.map((tenant, i) => ({ key: `k${i}`, match: { headers: { "x-tenant": { exact: tenant } } } }));
    const rules = { routes: [{ key: "admin", match: { uri: { prefix: "/admin" } } }, ...exact, { key: "rest" }] };
    for (const i of [0, 1, 4999, 9999]) {
      expect(choose(rules, { "x-tenant": tenants[i] ?? "" }, fresh, "large")).toBe(`k${i}`);
      expect(tried(fresh)).toBe(2);
    }
    expect(choose(rules, { "x-tenant": "tenant-5", ":path": "/admin" }, fresh, "large")).toBe("admin");
    expect(choose(rules, { "x-tenant": "nobody" }, fresh, "large")).toBe("rest");
    expect(tried(fresh)).toBe(2);
    expect(choose(rules, {}, fresh, "large")).toBe("rest");
  }, 60_000);

  it("takes 10,000 values as lines in bounded memory", () => {
    const fresh = createHost({ module, configuration: "{}" });
    const routes = [0, 1, 2, 3, 4].map((subset) => ({
      key: `s${subset}`,
      match: { headers: { "x-tenant": { lines: tenants.filter((_, i) => i % 5 === subset).join("\n") } } },
    }));
    for (let i = 0; i < 10_000; i += 37)
      expect(choose({ routes }, { "x-tenant": tenants[i] ?? "" }, fresh, "lines")).toBe(`s${i % 5}`);
    expect(tried(fresh)).toBe(1);
    expect(fresh.memoryBytes()).toBeLessThanOrEqual(4 * 1_048_576);
  }, 60_000);

  it("keeps the order of rules wherever they are found", () => {
    const value = fc.constantFrom("a", "b", "c", "d", "e", "f", "g", "h", "i", "j");
    const condition = fc.oneof(
      value.map((exact) => ({ exact })),
      fc.array(value, { minLength: 1, maxLength: 4 }).map((values) => ({ lines: values.join("\n") })),
      value.map((prefix) => ({ prefix })),
      fc.constant({ present: true }),
    );
    const rule = fc.record(
      {
        headers: fc.dictionary(fc.constantFrom("x", "y"), condition),
        queryParams: fc.dictionary(fc.constantFrom("q"), condition),
        uri: fc.option(
          value.map((exact) => ({ exact: `/${exact}` })),
          { nil: undefined },
        ),
      },
      { requiredKeys: [] },
    );
    const request = fc.record({
      x: fc.option(fc.array(value, { minLength: 1, maxLength: 3 })),
      y: fc.option(value),
      q: fc.option(value),
      path: value,
    });
    fc.assert(
      fc.property(
        fc.array(rule, { maxLength: 60 }),
        fc.array(request, { minLength: 8, maxLength: 8 }),
        (matches, requests) => {
          const rules = {
            routes: matches.map((match, i) => ({ key: `k${i}`, match: JSON.parse(JSON.stringify(match)) as object })),
          };
          for (const { x, y, q, path } of requests) {
            const headers: Headers = {
              ":path": `/${path}${q === null ? "" : `?q=${q}`}`,
              ...(x !== null && { x }),
              ...(y !== null && { y }),
            };
            const expected = matches.findIndex((match) =>
              holdsAll(match, { x, y: y === null ? null : [y] }, { q: q === null ? null : [q] }, `/${path}`),
            );
            expect(choose(rules, headers)).toBe(expected < 0 ? "none" : `k${expected}`);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

interface Conditions {
  readonly headers?: Record<string, Condition>;
  readonly queryParams?: Record<string, Condition>;
  readonly uri?: { readonly exact: string } | undefined;
}
type Condition = {
  readonly exact?: string;
  readonly lines?: string;
  readonly prefix?: string;
  readonly present?: boolean;
};

/** What the rules say, asked one after the other. */
function holdsAll(
  match: Conditions,
  headers: Record<string, string[] | null>,
  query: Record<string, string[] | null>,
  path: string,
): boolean {
  const holds = (conditions: Record<string, Condition> = {}, values: Record<string, string[] | null>): boolean =>
    Object.entries(conditions).every(([name, condition]) =>
      (values[name] ?? []).some((value) => {
        if (condition.exact !== undefined) return value === condition.exact;
        if (condition.lines !== undefined) return condition.lines.split("\n").includes(value);
        return condition.prefix === undefined || value.startsWith(condition.prefix);
      }),
    );
  return (
    holds(match.headers, headers) &&
    holds(match.queryParams, query) &&
    (match.uri === undefined || match.uri.exact === path)
  );
}

describe("robustness", () => {
  it("never traps on any rules and any request", () => {
    const bytes = fc.uint8Array({ maxLength: 40 }).map((value) => Buffer.from(value).toString("latin1"));
    const rules = {
      routes: [
        {
          key: "a",
          match: {
            uri: { regex: "/(a|b)*\\w+" },
            headers: { x: { regex: "(?i)[^a-f]+" } },
            queryParams: { q: { prefix: "1" } },
          },
        },
        { key: "b", match: { withoutHeaders: { cookie: { regex: ".*x.*" } } } },
      ],
    };
    fc.assert(
      fc.property(
        bytes,
        fc.array(bytes, { maxLength: 3 }),
        bytes,
        (path, x, cookie) => void choose(rules, { ":path": path, x, cookie }),
      ),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), (text) => void choose(text)),
      { numRuns: 200 },
    );
    expect(host.failure()).toBeUndefined();
  });

  it("keeps a bounded number of tables, and none of the garbage", () => {
    const fresh = createHost({ module, configuration: "{}" });
    fresh.setLogLevel("warn");
    const round = (from: number): void => {
      for (let i = from; i < from + 1500; i++)
        choose(
          { routes: [{ key: `k${i}`, match: { headers: { "end-user": { regex: `user-${i}-[a-z]+` } } } }] },
          { "end-user": `user-${i}-x` },
          fresh,
        );
    };
    round(0);
    round(10_000);
    const before = fresh.memoryBytes();
    round(20_000);
    round(30_000);
    expect(fresh.memoryBytes()).toBe(before);
    for (let i = 0; i < 10_000; i++) choose(only({ headers: { x: { regex: "a.*" } } }), { x: ["a", "b"] }, fresh);
    expect(fresh.memoryBytes()).toBe(before);
  }, 120_000);
});
