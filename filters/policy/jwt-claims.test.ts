import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { loadPolicy, type PolicyModule } from "./testing/load.ts";

let policy: PolicyModule;
beforeAll(async () => {
  policy = await loadPolicy();
}, 60_000);

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const nothing = new Uint8Array();

function double(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value, true);
  return bytes;
}

/** Pairs as Envoy serializes maps, and lists (whose second halves are empty). */
function pairs(entries: readonly (readonly [Uint8Array, Uint8Array])[]): Uint8Array {
  const sizes = Buffer.alloc(4 + entries.length * 8);
  sizes.writeUInt32LE(entries.length, 0);
  entries.forEach(([key, value], index) => {
    sizes.writeUInt32LE(key.length, 4 + index * 8);
    sizes.writeUInt32LE(value.length, 8 + index * 8);
  });
  return new Uint8Array(
    Buffer.concat([sizes, ...entries.flatMap(([key, value]) => [key, Buffer.from([0]), value, Buffer.from([0])])]),
  );
}

const list = (items: readonly Uint8Array[]): Uint8Array => pairs(items.map((item) => [item, nothing]));
const read = (whole: Uint8Array, first?: Uint8Array): string =>
  policy.claim("[a]", whole, first ?? nothing, first !== undefined);

describe("a claim", () => {
  it.each<[string, Uint8Array, Uint8Array | undefined, string]>([
    ["text", utf8("admin"), undefined, "text admin"],
    ["empty text", nothing, undefined, "text "],
    ["text of eight letters", utf8("abcdefgh"), undefined, "text abcdefgh"],
    ["text of eight bytes beyond ASCII", utf8("äöüß"), undefined, "text äöüß"],
    ["text of eight bytes up to U+10FFFF", utf8("abcd\u{10ffff}"), undefined, "text abcd\u{10ffff}"],
    ["text of eight bytes around the surrogates", utf8("\ud7ff\ue000ab"), undefined, "text \ud7ff\ue000ab"],
    ["number", double(5), undefined, "number 5.0"],
    ["number with a fraction", double(0.1), undefined, "number 0.1"],
    ["true", Uint8Array.of(1), undefined, "true"],
    ["false", Uint8Array.of(0), undefined, "false"],
    ["list", list([utf8("a"), utf8("b,c")]), utf8("a"), "list a|b,c"],
    ["list with numbers and booleans in it", list([utf8("a"), double(7), Uint8Array.of(0)]), utf8("a"), "list a"],
    ["empty list", list([]), undefined, "absent"],
    ["map", pairs([[utf8("admin"), utf8("yes")]]), undefined, "absent"],
    ["map with empty values", pairs([[utf8("admin"), nothing]]), undefined, "absent"],
    [
      "map that has a key 0",
      pairs([
        [utf8("admin"), nothing],
        [utf8("0"), nothing],
      ]),
      nothing,
      "absent",
    ],
    ["text made to look like a list", list([utf8("admin")]), undefined, "absent"],
    ["text with NUL", utf8("admin\0"), undefined, "odd"],
    [
      "list that says it is longer",
      new Uint8Array([255, 255, 255, 255, 0, 0, 0, 0]),
      nothing,
      "number 2.1219957905e-314",
    ],
  ])("that is %s", (_name, whole, first, expected) => {
    expect(read(whole, first)).toBe(expected);
  });

  it.each([
    ["an overlong form of three bytes", [0x61, 0x62, 0xe0, 0x80, 0xaf, 0x63, 0x64, 0x65]],
    ["an overlong form of four bytes", [0x61, 0x62, 0xf0, 0x80, 0x80, 0xaf, 0x63, 0x64]],
    ["a surrogate", [0x61, 0x62, 0xed, 0xa0, 0x80, 0x63, 0x64, 0x65]],
    ["a code point above U+10FFFF", [0x61, 0x62, 0xf4, 0x90, 0x80, 0x80, 0x63, 0x64]],
  ])("of eight bytes with %s in them is a number: no text holds that", (_what, bytes) => {
    expect(read(Uint8Array.from(bytes))).toMatch(/^number /);
  });

  it("is named by its path", () => {
    expect(policy.claim("[a][b]", utf8("x"), nothing, false)).toBe("text x");
    for (const key of ["", "[]", "a", "[a", "[a][]", "[][a]"])
      expect(policy.claim(key, utf8("x"), nothing, false)).toMatch(/^!/);
  });

  it("may be any bytes", () => {
    const bytes = fc.uint8Array({ maxLength: 60 });
    fc.assert(
      fc.property(bytes, fc.option(bytes), (whole, first) => {
        read(whole, first ?? undefined);
        policy.claimPrincipal(whole);
      }),
      { numRuns: 2_000 },
    );
    read(new Uint8Array(61_440).fill(0x61));
    read(list(Array.from({ length: 4_000 }, () => utf8("x"))), utf8("x"));
  });
});

describe("the request principal", () => {
  it("is issuer and subject, both of them texts", () => {
    expect(policy.claimPrincipal(utf8("x"))).toBe("=x/x");
    expect(policy.claimPrincipal(nothing)).toBe("absent");
    expect(policy.claimPrincipal(double(1))).toBe("absent");
  });
});
