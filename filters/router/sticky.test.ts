import fc from "fast-check";
import { createHost, type Host } from "proxy-wasm-host";
import { describe, expect, it } from "vitest";
import { choose, host, module, token, type Headers } from "./testing.ts";

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
