import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { loadPolicy, type PolicyModule } from "./testing/load.ts";

let policy: PolicyModule;
beforeAll(async () => {
  policy = await loadPolicy();
}, 60_000);

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("wildcard values", () => {
  it.each<[string, boolean, string, boolean]>([
    ["abc", false, "abc", true],
    ["abc", false, "abcd", false],
    ["abc*", false, "abcd", true],
    ["abc*", false, "ab", false],
    ["*abc", false, "xabc", true],
    ["*abc", false, "abcx", false],
    ["*", false, "anything", true],
    ["*", false, "", false],
    ["Example.COM", true, "example.com", true],
    ["*.Example.com", true, "A.EXAMPLE.com", true],
    ["ex*", true, "EXAMPLE", true],
    ["@[", true, "`{", false],
    ["", false, "", true],
    ["a*c", false, "abc", false],
  ])("%s (ignoring case: %s) on %j is %s", (pattern, ignoreCase, value, expected) => {
    expect(policy.wildcard(pattern, ignoreCase, bytes(value))).toBe(expected);
  });
});

describe("path templates", () => {
  it.each<[string, string, boolean]>([
    ["/foo/{*}", "/foo/bar", true],
    ["/foo/{*}", "/foo/", false],
    ["/foo/{*}", "/foo/bar/", false],
    ["/foo/{*}", "/foo/bar/baz", false],
    ["/foo/{*}/bar", "/foo/x/bar", true],
    ["/foo/{**}", "/foo/", true],
    ["/foo/{**}", "/foo", false],
    ["/foo/{**}", "/foo/a/b/c", true],
    ["/{**}/bar", "/a/b/bar", true],
    ["/{**}/bar", "/bar", false],
    ["/{**}/bar", "//bar", true],
    ["/{*}/{*}", "/a/b", true],
    ["/{*}/x/{**}/y/z", "/a/x/b/c/y/z", true],
    ["/{*}/x/{**}/y/z", "/a/x/y/z", false],
    ["/foo/{*}", "/foo/a*b", false],
    ["/foo/{*}", "/foo/a%20b", true],
    ["/foo/{*}", "/foo/é", false],
    ["/foo/{**}", "/foo/a*b", false],
  ])("%s on %s is %s", (pattern, path, expected) => {
    expect(policy.templateMatches(pattern, bytes(path))).toBe(expected);
  });

  it.each(["/{**}/{*}", "/{**}/a/{**}", "/a{*}", "/{*}b", "foo/{*}", "/{*}/{x}", "/a//{*}", "/{*}/é", "/{*}/a*"])(
    "refuses %s",
    (pattern) => {
      expect(policy.templateError(pattern)).not.toBe("");
    },
  );

  it("means what Envoy's regex for it means, but that {*} ends before an encoded slash", () => {
    const segment = fc.constantFrom("a", "b", "{*}", "a.b");
    const path = fc
      .array(fc.constantFrom("a", "b", "a.b", "", "x", "%2F", "*", "é"), { maxLength: 5 })
      .map((parts) => `/${parts.join("/")}`);
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 4 }), fc.boolean(), path, (segments, rest, value) => {
        const pattern = `/${segments.join("/")}${rest ? "/{**}" : ""}`;
        const literal = "[a-zA-Z0-9\\-._~%!$&'()+,;:@=";
        const regex = new RegExp(
          `^${pattern
            .replaceAll(".", "\\.")
            .replaceAll("{**}", () => `${literal}/]*`)
            .replaceAll("{*}", () => `(?:(?!%2F)${literal}])+`)}$`,
        );
        expect({ pattern, value, says: policy.templateMatches(pattern, bytes(value)) }).toEqual({
          pattern,
          value,
          says: regex.test(value),
        });
      }),
    );
  });
});

describe("addresses and blocks", () => {
  it.each<[string, string, number]>([
    ["10.0.0.0/8", "10.1.2.3", 1],
    ["10.0.0.0/8", "10.1.2.3:8080", 1],
    ["10.0.0.0/8", "11.1.2.3", 0],
    ["0.0.0.0/0", "1.2.3.4", 1],
    ["0.0.0.0/0", "::1", 0],
    ["1.2.3.4", "1.2.3.4", 1],
    ["1.2.3.4/32", "1.2.3.5", 0],
    ["1.2.3.4/31", "1.2.3.5", 1],
    ["10.0.0.0/8", "::ffff:10.1.1.1", 1],
    ["10.0.0.0/8", "[::ffff:10.1.1.1]:80", 1],
    ["2001:db8::/32", "2001:db8:1::5", 1],
    ["2001:db8::/32", "[2001:db8::5]:443", 1],
    ["2001:db8::/32", "2001:db9::", 0],
    ["::1", "::1", 1],
    ["fe80::/10", "fe80::1%eth0", 1],
    ["::/0", "2001:db8::1", 1],
    ["1:2:3:4:5:6:7:8/128", "1:2:3:4:5:6:7:8", 1],
    ["10.0.0.0/8", "010.1.2.3", 0],
    ["10.0.0.0/8", "10.1.2", 0],
    ["10.0.0.0/8", "10.1.2.3.4", 0],
    ["10.0.0.0/8", "", 0],
    ["10.0.0.0/8", "pipe", 0],
    ["10.0.0.0/8", "10.1.2.3 ", 0],
    ["10.0.0.0/33", "10.0.0.1", -1],
    ["10.0.0/8", "10.0.0.1", -1],
    ["10.0.0.1:80", "10.0.0.1", -1],
    ["2001:::1", "::1", -1],
    ["1::2::3", "::1", -1],
    ["[::1]", "::1", -1],
    ["", "::1", -1],
    ["10.0.0.0/", "10.0.0.1", -1],
    ["2001:db8::/129", "::1", -1],
  ])("block %s, address %s: %s", (block, address, expected) => {
    expect(policy.cidrContains(block, bytes(address))).toBe(expected);
  });

  it("reads every way of writing an address alike", () => {
    expect(policy.address(bytes("2001:db8:0:0:1:0:0:1"))).toBe(policy.address(bytes("2001:db8::1:0:0:1")));
    expect(policy.address(bytes("::"))).toBe("0:0");
    expect(policy.address(bytes("1::"))).toBe("1000000000000:0");
    for (const wrong of ["1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", ":1", "1:", "12345::", "::g", "1.2.3.4::", ":::"])
      expect(policy.address(bytes(wrong))).toBe("invalid");
  });

  it("never traps on any bytes", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 50 }),
          fc.string({ unit: fc.constantFrom(":", ".", "1", "f", "[", "]", "%", "0"), maxLength: 30 }).map(bytes),
        ),
        (value) => void policy.address(value),
      ),
      { numRuns: 3000 },
    );
  });
});

describe("principals", () => {
  it.each([
    [
      "spiffe://cluster.local/ns/default/sa/orders",
      "=cluster.local/ns/default/sa/orders =cluster.local =default =orders",
    ],
    ["spiffe://td/other/path", "=td/other/path =td absent absent"],
    ["spiffe://td/ns/a/sa/b/c", "=td/ns/a/sa/b/c =td absent absent"],
    ["spiffe://td/ns//sa/b", "=td/ns//sa/b =td absent absent"],
    ["spiffe://td/ns/a/sa/", "=td/ns/a/sa/ =td absent absent"],
    ["spiffe://", "absent absent absent absent"],
    ["https://td/ns/a/sa/b", "absent absent absent absent"],
    ["", "absent absent absent absent"],
  ])("%s is %s", (uri, expected) => {
    expect(policy.principal(bytes(uri))).toBe(expected);
  });
});

describe("request text", () => {
  it.each([
    ["/a?b", "=/a"],
    ["/a#b?c", "=/a"],
    ["/a", "=/a"],
    ["", "="],
    ["?x", "="],
  ])("path of %s is %s", (target, expected) => {
    expect(policy.path(bytes(target))).toBe(expected);
  });

  it.each([
    ["/?a=1&b=2", "b", "=2"],
    ["/?a=1&a=2", "a", "=1"],
    ["/?a", "a", "="],
    ["/?a=", "a", "="],
    ["/?aa=1", "a", "absent"],
    ["/?a=b=c", "a", "=b=c"],
    ["/?a=%41", "a", "=%41"],
    ["/?&&a=1", "a", "=1"],
    ["/?a=1#a=2", "a", "=1"],
    ["/", "a", "absent"],
    ["/#?a=1", "a", "absent"],
  ])("query of %s, %s is %s", (target, name, expected) => {
    expect(policy.query(bytes(target), name)).toBe(expected);
  });

  it.each([
    ["user=jason; x=1", "user", "=jason"],
    ["x=1;user=jason", "user", "=jason"],
    ["user=a; user=b", "user", "=a"],
    ['user="a b"', "user", "=a b"],
    ["superuser=x", "user", "absent"],
    ["user", "user", "absent"],
    ["", "user", "absent"],
  ])("cookie %s, %s is %s", (header, name, expected) => {
    expect(policy.cookie(bytes(header), name)).toBe(expected);
  });

  it.each([
    ["a.com", "=a.com"],
    ["a.com:80", "=a.com"],
    ["a.com.", "=a.com"],
    ["a.com..:8080", "=a.com"],
    ["a.com:", "=a.com"],
    ["[::1]:80", "=[::1]"],
    ["[::1]", "=[::1]"],
    ["2001:db8::1", "=2001:db8::1"],
    ["", "="],
    [":80", "="],
    ["a.com:80x", "=a.com:80x"],
  ])("host of %s is %s", (authority, expected) => {
    expect(policy.host(bytes(authority))).toBe(expected);
  });
});

describe("peer metadata", () => {
  it("reads what it writes", () => {
    const header = policy.peerEncode("reviews-v1", "default", "reviews");
    expect(header).not.toContain("=");
    expect(policy.peer(bytes(header))).toBe("=reviews-v1 =default absent =reviews absent =reviews =latest");
    expect(policy.peer(bytes(`${header}==`))).toBe(policy.peer(bytes(header)));
  });

  it("reads what protobufjs writes", async () => {
    const { default: protobuf } = await import("protobufjs");
    const { root } = protobuf.parse(`syntax = "proto3"; message Struct { map<string, Value> fields = 1; }
      message Value {
        oneof kind {
          int32 null_value = 1; double number_value = 2; string string_value = 3; bool bool_value = 4;
          Struct struct_value = 5;
        }
      }`);
    const Struct = root.lookupType("Struct");
    const text = (value: string) => ({ stringValue: value });
    const encoded = Struct.encode(
      Struct.fromObject({
        fields: {
          NAME: text("p"),
          NUMBER: { numberValue: 1 },
          CLUSTER_ID: text("Kubernetes"),
          LABELS: {
            structValue: {
              fields: {
                "service.istio.io/canonical-name": text("cn"),
                "app.kubernetes.io/version": text("kv"),
                version: text("v9"),
              },
            },
          },
          WORKLOAD_NAME: text("w"),
        },
      }),
    ).finish();
    expect(policy.peer(bytes(Buffer.from(encoded).toString("base64")))).toBe(
      "=w absent =Kubernetes absent =v9 =cn =kv",
    );
  });

  it("never traps on any bytes", () => {
    const valid = Buffer.from(policy.peerEncode("w", "n", "a"), "base64");
    expect(policy.peer(bytes("!"))).toBe("refused");
    expect(policy.peer(bytes(""))).toBe("refused");
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (value) => void policy.peer(value)),
      { numRuns: 2000 },
    );
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 100 }),
        (value) => void policy.peer(bytes(Buffer.from(value).toString("base64"))),
      ),
      { numRuns: 2000 },
    );
    fc.assert(
      fc.property(fc.nat({ max: valid.length - 1 }), fc.nat({ max: 255 }), (at, value) => {
        const broken = Buffer.from(valid);
        broken[at] = value;
        policy.peer(bytes(broken.toString("base64")));
      }),
    );
  });
});

describe("hash", () => {
  it("spreads keys that differ little", () => {
    const low = new Set<bigint>();
    for (let i = 0; i < 20_000; i++) low.add(policy.hash(bytes(`user-${i}`)));
    expect(low.size).toBe(20_000);
    const slots = new Map<bigint, number>();
    for (const each of low) slots.set(each & 255n, (slots.get(each & 255n) ?? 0) + 1);
    expect(Math.max(...slots.values())).toBeLessThan(140);
  });
});
