import fc from "fast-check";
import { createHost, type Host } from "proxy-wasm-host";
import { describe, expect, it } from "vitest";
import { choose, host, module, only, type Headers } from "./testing.ts";

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
