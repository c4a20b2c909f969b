import fc from "fast-check";
import { RE2JS } from "re2js";
import { beforeAll, describe, expect, it } from "vitest";
import { loadPolicy, type PolicyModule } from "../testing/load.ts";

let policy: PolicyModule;
beforeAll(async () => {
  policy = await loadPolicy();
}, 60_000);

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** What our engine says: the error, or whether the whole text matches. */
function ours(pattern: string, text: string): string | boolean {
  const error = policy.regexCompile(pattern);
  return error === "" ? policy.regexMatches(bytes(text)) : error;
}

/** What re2js says. */
function theirs(pattern: string, text: string): string | boolean {
  try {
    return RE2JS.compile(pattern).matches(text);
  } catch (error) {
    return String(error);
  }
}

describe("regex", () => {
  it.each<[string, string, boolean]>([
    ["", "", true],
    ["", "a", false],
    ["a", "a", true],
    ["a", "ab", false],
    ["a|ab", "ab", true],
    ["(?:a|b)*c", "ababc", true],
    [".*", "anything at all", true],
    [".*", "two\nlines", false],
    ["(?s).*", "two\nlines", true],
    [".+", "", false],
    ["a{2,3}", "a", false],
    ["a{2,3}", "aaa", true],
    ["a{2,3}", "aaaa", false],
    ["a{2,}", "aaaaa", true],
    ["a{,2}", "a{,2}", true],
    ["a{0}", "", true],
    ["a{0}b", "b", true],
    ["[a-c]+", "abcabc", true],
    ["[^a-c]+", "xyz\n", true],
    ["[]a]+", "]a]", true],
    ["[a-]+", "a-a", true],
    ["[\\d-z]+", "1-z", true],
    ["\\d+\\s\\w*", "12 a_9", true],
    ["\\D\\S\\W", "ab-", true],
    ["[[:alpha:]]+[[:^digit:]]", "abc-", true],
    ["^abc$", "abc", true],
    ["a$b", "ab", false],
    ["(?m)a$\n^b", "a\nb", true],
    ["\\bfoo\\b.*", "foo bar", true],
    ["foo\\Bbar", "foobar", true],
    ["\\Aab\\z", "ab", true],
    ["(?i)abc[d-f]", "ABcE", true],
    ["(?i:a)b", "AB", false],
    ["a(?i)b|c", "C", true],
    ["(?i)k", "\u212a", true],
    ["(?i)\\w+", "\u017f", true],
    ["(?P<name>a)(?<other>b)", "ab", true],
    ["a+?b*?c??", "aab", true],
    ["\\Qa.b\\E+", "a.bb", true],
    ["\\x41\\x{1F600}\\101\\n\\t", "A😀A\n\t", true],
    [".", "é", true],
    ["[à-ü]{2}", "éè", true],
    ["😀+", "😀😀", true],
    ["(a*)*", "aaaa", true],
    ["(a|b|)*c", "abac", true],
    ["(|a)+", "aaa", true],
    ["(?U)a+", "aaa", true],
    ["(?i-i:a)", "A", false],
    ["v[12]\\.(?:0|[1-9]\\d*)", "v2.10", true],
    ["\\.\\-\\/\\_", ".-/_", true],
  ])("%s on %j is %s, as re2js says", (pattern, text, expected) => {
    expect(ours(pattern, text)).toBe(expected);
    // re2js folds \w before negating only for named groups; everything else must agree
    if (pattern !== "(?i)\\w+") expect(theirs(pattern, text)).toBe(expected);
  });

  it.each([
    "(", ")", "a)", "(a", "[", "[a", "[b-a]", "a**", "a*+", "a{2}{3}", "*a", "|*", "(*)", "(?", "(?x)", "(?P<>a)", "(?P<a-b>c)", "(?P<n>a)(?P<n>b)",
    "\\", "\\8", "\\1", "\\xg", "\\x{110000}", "\\x{}", "[[:nope:]]", "[a-\\d]", "a{1001}", "a{3,2}", "(a{100}){100}", "\\y", "(?i-)", "(?<=a)b", "a(?=b)", "\\Z", "\\pN",
    "(?i)é",
  ])("refuses %s with a reason", (pattern) => {
    expect(policy.regexCompile(pattern)).toMatch(/.+ \(at offset \d+\)/);
  });

  it("refuses what is too large instead of growing", () => {
    expect(policy.regexCompile("a".repeat(1025))).toContain("longer than 1024");
    expect(policy.regexCompile("[ab]{1000}[ab]{1000}[ab]{1000}[ab]{1000}[ab]{1000}")).toContain("too large");
    expect(policy.regexCompile("(".repeat(101) + ")".repeat(101))).toContain("too deeply");
  });

  it("bytes that are not UTF-8 match nothing", () => {
    expect(policy.regexCompile("(?s).*")).toBe("");
    for (const hostile of [[0xff], [0xc0, 0x80], [0xe0, 0x80, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xc3], [0x80], [0xf0, 0x9f, 0x98]]) expect(policy.regexMatches(new Uint8Array(hostile))).toBe(false);
  });

  it("stays linear where backtracking explodes", () => {
    expect(policy.regexCompile("(a+)+b|(a|a)*c|(.*)*d")).toBe("");
    expect(policy.regexMatches(bytes("a".repeat(60_000)))).toBe(false);
  });

  const atom = fc.oneof(
    fc.constantFrom("a", "b", "c", ".", "é", "\\d", "\\w", "\\s", "\\W", "[a-c]", "[^b]", "[^a-cé]", "\\b", "\\B", "^", "$", "-", "1", "_", "\\.", "[[:upper:]]", "(?:)", "\\n"),
  );
  const pattern = fc.letrec<{ node: string }>((tie) => ({
    node: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      atom,
      fc.tuple(tie("node"), tie("node")).map(([a, b]) => a + b),
      fc.tuple(tie("node"), tie("node")).map(([a, b]) => `(?:${a}|${b})`),
      fc.tuple(tie("node"), fc.constantFrom("*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,3}", "{2,}")).map(([a, op]) => `(${a})${op}`),
      tie("node").map((a) => `(?i:${a.replaceAll("é", "e")})`),
      tie("node").map((a) => `(?ms:${a})`),
    ),
  })).node;
  const text = fc.array(fc.constantFrom("a", "b", "c", "A", "B", "é", "1", "_", "-", ".", " ", "\n", "😀", "K", "s"), { maxLength: 8 }).map((parts) => parts.join(""));

  it("agrees with re2js on random patterns and texts", () => {
    fc.assert(
      fc.property(pattern, fc.array(text, { minLength: 1, maxLength: 6 }), (source, texts) => {
        for (const each of texts) expect({ source, each, says: ours(source, each) }).toEqual({ source, each, says: theirs(source, each) });
      }),
      { numRuns: 2000 },
    );
  });

  it("accepts and refuses as re2js does, and never traps, on random syntax", () => {
    const soup = fc.array(fc.constantFrom("a", "(", ")", "[", "]", "{", "}", "1", ",", "*", "+", "?", "\\", "|", "^", "$", ".", "-", ":", "<", ">", "i", "P", "Q", "E", "d", "x", "=", "!", "z"), { maxLength: 12 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(soup, (source) => {
        fc.pre(!source.includes("\\P")); // \P{...} is refused by name
        const refused = typeof ours(source, "a") === "string";
        expect({ source, refused }).toEqual({ source, refused: typeof theirs(source, "a") === "string" });
      }),
      { numRuns: 5000 },
    );
  });

  it("never traps on any pattern and any bytes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 40 }), fc.uint8Array({ maxLength: 64 }), (source, value) => {
        if (policy.regexCompile(source) === "") policy.regexMatches(value);
      }),
      { numRuns: 3000 },
    );
  });
});
