import { describe, expect, it } from "vitest";
import {
  compareHostSpecificity,
  hostMatches,
  hostsOverlap,
  isHostPattern,
  mostSpecificHost,
  parseScopedHost,
  resolveHost,
} from "./hosts.ts";

describe("hosts", () => {
  it.each([
    ["reviews", "ns", "reviews.ns.svc.cluster.local"],
    ["Reviews", "ns", "reviews.ns.svc.cluster.local"],
    ["reviews.other", "ns", "reviews.other"],
    ["API.example.com", "ns", "api.example.com"],
    ["*", "ns", "*"],
    ["*.foo.com", "ns", "*.foo.com"],
    ["*foo", "ns", "*foo.ns.svc.cluster.local"],
    ["::1", "ns", "::1"],
  ])("%s named in %s is %s", (host, namespace, full) => {
    expect(resolveHost(host, namespace)).toBe(full);
  });

  it.each<[string, string, boolean]>([
    ["a.foo.com", "a.foo.com", true],
    ["*.foo.com", "a.foo.com", true],
    ["*.foo.com", "foo.com", false],
    ["*.foo.com", "b.a.foo.com", true],
    ["*.foo.com", "afoo.com", false],
    ["*", "x", true],
    ["*.foo.com", "*.a.foo.com", true],
    ["*.a.foo.com", "*.foo.com", false],
    ["*.foo.com", "*.foo.com", true],
    ["*", "*", true],
    ["a.foo.com", "*.foo.com", false],
    ["*-b.com", "a-b.com", true],
  ])("%s covers %s: %s", (pattern, host, expected) => {
    expect(hostMatches(pattern, host)).toBe(expected);
  });

  it("overlap in both directions", () => {
    expect(hostsOverlap("*.foo.com", "a.foo.com")).toBe(true);
    expect(hostsOverlap("a.foo.com", "*.foo.com")).toBe(true);
    expect(hostsOverlap("*.foo.com", "*.bar.com")).toBe(false);
  });

  it("are ordered from the most specific", () => {
    expect(["*", "*.com", "b.com", "*.a.com", "x.a.com"].sort(compareHostSpecificity)).toEqual([
      "x.a.com",
      "b.com",
      "*.a.com",
      "*.com",
      "*",
    ]);
    expect(mostSpecificHost("x.a.com", ["*", "*.com", "*.a.com"])).toBe("*.a.com");
    expect(mostSpecificHost("a.com", ["*.a.com"])).toBeUndefined();
  });

  it("may have a namespace", () => {
    expect(parseScopedHost("ns/*.com")).toEqual({ namespace: "ns", host: "*.com" });
    expect(parseScopedHost("a.com")).toEqual({ namespace: undefined, host: "a.com" });
  });

  it.each<[string, boolean]>([
    ["*", true],
    ["*.a.b", true],
    ["a", true],
    ["a.b.", true],
    ["*a.b", true],
    ["a.*.b", false],
    ["**", false],
    ["", false],
    ["a_b", false],
    ["a b", false],
    ["-a", false],
    ["a".repeat(64), false],
  ])("%j is a host pattern: %s", (text, expected) => {
    expect(isHostPattern(text)).toBe(expected);
  });
});
