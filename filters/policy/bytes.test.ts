import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { loadPolicy, type PolicyModule } from "./testing/load.ts";

let policy: PolicyModule;
beforeAll(async () => {
  policy = await loadPolicy();
}, 60_000);

/** What Node takes for UTF-8; a byte order mark is a character like others. */
function nodeReads(value: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value);
    return true;
  } catch {
    return false;
  }
}

describe("UTF-8", () => {
  it.each<[string, number[], boolean]>([
    ["nothing", [], true],
    ["ASCII with NUL", [0x61, 0, 0x7f], true],
    ["the first of two bytes", [0xc2, 0x80], true],
    ["two bytes, overlong", [0xc1, 0xbf], false],
    ["the first of three bytes", [0xe0, 0xa0, 0x80], true],
    ["three bytes, overlong", [0xe0, 0x9f, 0xbf], false],
    ["the last before the surrogates", [0xed, 0x9f, 0xbf], true],
    ["the first surrogate", [0xed, 0xa0, 0x80], false],
    ["the last surrogate", [0xed, 0xbf, 0xbf], false],
    ["the first behind the surrogates", [0xee, 0x80, 0x80], true],
    ["the first of four bytes", [0xf0, 0x90, 0x80, 0x80], true],
    ["four bytes, overlong", [0xf0, 0x8f, 0xbf, 0xbf], false],
    ["U+10FFFF", [0xf4, 0x8f, 0xbf, 0xbf], true],
    ["above U+10FFFF", [0xf4, 0x90, 0x80, 0x80], false],
    ["a lead that no code point has", [0xf5, 0x80, 0x80, 0x80], false],
    ["a continuation without a lead", [0x80], false],
    ["cut within a code point", [0x61, 0xe2, 0x82], false],
    ["a lead within a code point", [0xe2, 0x82, 0xc3], false],
  ])("%s: %j is %s", (_name, bytes, expected) => {
    expect(policy.isUtf8(Uint8Array.from(bytes))).toBe(expected);
    expect(nodeReads(Uint8Array.from(bytes))).toBe(expected);
  });

  it("is told from other bytes as Node tells it", () => {
    const edges = fc.constantFrom(0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2, 0xdf, 0xe0, 0xed, 0xef);
    const byte = fc.oneof(edges, fc.constantFrom(0xf0, 0xf4, 0xf5), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 6 }), (bytes) => {
        const value = Uint8Array.from(bytes);
        expect(policy.isUtf8(value)).toBe(nodeReads(value));
      }),
      { numRuns: 2_000 },
    );
  });
});
