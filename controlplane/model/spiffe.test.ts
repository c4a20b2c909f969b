import { describe, expect, it } from "vitest";
import { parseSpiffeId, principalOf, spiffeId } from "./spiffe.ts";

describe("SPIFFE ids", () => {
  it("are made of and taken apart into trust domain, namespace and service account", () => {
    const id = spiffeId("cluster.local", "default", "reviews.v1");
    expect(id).toBe("spiffe://cluster.local/ns/default/sa/reviews.v1");
    expect(parseSpiffeId(id)).toEqual({
      trustDomain: "cluster.local",
      namespace: "default",
      serviceAccount: "reviews.v1",
    });
    expect(principalOf(id)).toBe("cluster.local/ns/default/sa/reviews.v1");
  });

  it.each([
    "",
    "spiffe://",
    "http://a/ns/b/sa/c",
    "spiffe://a/ns/b/sa/",
    "spiffe://a/ns//sa/c",
    "spiffe:///ns/b/sa/c",
    "spiffe://a:80/ns/b/sa/c",
    "spiffe://u@a/ns/b/sa/c",
    "spiffe://a/ns/b/sa/c?x",
    "spiffe://a/ns/b/sa/c#x",
    "spiffe://a/ns/b/sa/%63",
    "spiffe://a/ns/../sa/c",
    "spiffe://a/ns/b/sa/..",
    "spiffe://a/ns/b/sa/a..b",
    "spiffe://a/ns/b/sa/c/",
    "spiffe://A/ns/b/sa/c",
    "spiffe://a/ns/B/sa/c",
    "spiffe://a/ns/b.c/sa/d",
    "spiffe://a/ns/b/sa/c\n",
    "spiffe://a..b/ns/b/sa/c",
    `spiffe://a/ns/b/sa/${"c".repeat(2_048)}`,
  ])("refuse %j", (text) => {
    expect(parseSpiffeId(text)).toBeUndefined();
  });

  it("are not made of impossible names", () => {
    expect(() => spiffeId("cluster.local", "a/b", "c")).toThrow(RangeError);
    expect(() => spiffeId("cluster.local:80", "a", "c")).toThrow(RangeError);
  });
});
