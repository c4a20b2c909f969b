import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fileOrigin } from "./origin.ts";
import { documentOf, parsePiece, splitDocuments } from "./yaml.ts";

function only(text: string) {
  const [piece] = splitDocuments(text);
  const parsed = parsePiece(piece?.text ?? "");
  if (piece === undefined || parsed.kind !== "document") throw new Error(`no document: ${JSON.stringify(parsed)}`);
  return documentOf(parsed, piece, "f.yaml");
}

describe("splitDocuments", () => {
  it.each<[string, readonly string[], readonly number[]]>([
    ["a: 1\n---\nb: 2\n", ["a: 1\n", "---\nb: 2\n"], [0, 1]],
    ["# c\n---\na: 1\n---\n---\n# x\n...\n---\nb: 1\n", ["# c\n---\na: 1\n", "---\nb: 1\n"], [0, 7]],
    ["--- {a: 1}\n--- {b: 2}", ["--- {a: 1}\n", "--- {b: 2}"], [0, 1]],
    ["a: |\n  ---\n  x\n---x: 1\n", ["a: |\n  ---\n  x\n---x: 1\n"], [0]],
    ["a: 1\r\n---\r\nb: 2\r\n", ["a: 1\r\n", "---\r\nb: 2\r\n"], [0, 1]],
    ["", [], []],
    ["\n# only a comment\n---\n", [], []],
  ])("cuts %j", (text, texts, lines) => {
    const pieces = splitDocuments(text);
    expect(pieces.map((piece) => piece.text)).toEqual(texts);
    expect(pieces.map((piece) => piece.linesBefore)).toEqual(lines);
  });

  it("cuts where a whole-file parser would", () => {
    const line = fc.constantFrom("---", "...", "a: 1", "# c", "", "  - x", "--- # c");
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const pieces = splitDocuments(lines.join("\n"));
        expect(pieces.every((piece) => lines.slice(piece.linesBefore).join("\n").startsWith(piece.text))).toBe(true);
      }),
    );
  });
});

describe("parsePiece", () => {
  it.each<[string, string]>([
    ["a: 1\na: 2", "Map keys must be unique"],
    ['1: a\n"1": b', "Map keys must be unique"],
    ["a: [{b: {c: 1, d: 2, c: 3}}]", "Map keys must be unique"],
    // What takes a time that grows with the square of the text makes the test run out of its own.
    [`{${Array.from({ length: 100_000 }, (_, i) => `k${i}: 1`).join(",")}, k7: 2}`, "Map keys must be unique"],
    [`${Array.from({ length: 50_000 }, (_, i) => `- &a${i} x\n- *a${i}\n`).join("")}`, "more than 1000 aliases"],
    ["a: !!js/function x", "Unresolved tag"],
    ["a: [", "Flow sequence"],
    ["a: *nobody", "Unresolved alias"],
    [
      "a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b]\n" +
        "d: [*c,*c,*c,*c,*c]\n",
      "Excessive alias count",
    ],
    ["&x [*x,*x,*x]", "nested deeper"],
    [`${"[".repeat(70)}${"]".repeat(70)}`, "nested deeper"],
    ["[".repeat(100_000), ""],
    ["{a: ".repeat(50_000), ""],
  ])("says what is wrong with %.40j", (text, message) => {
    const parsed = parsePiece(text);
    expect(parsed.kind).toBe("broken");
    if (parsed.kind === "broken") expect(parsed.problems[0]?.message).toContain(message);
  });

  it("never throws, whatever the text", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string({ unit: fc.constantFrom(..."{}[]:,-&*!|>'\"%@`# \n\tab01~?<".split("")), maxLength: 60 }),
        ),
        (text) => {
          for (const piece of splitDocuments(text)) parsePiece(piece.text);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it("keeps __proto__ an ordinary key", () => {
    const parsed = parsePiece("__proto__: {polluted: true}\na: 1");
    expect(parsed.kind === "document" && Object.keys(parsed.value as object)).toEqual(["__proto__", "a"]);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

describe("locate", () => {
  const document = only(
    "# head\n---\nspec:\n  http:\n  - route:\n    - {weight: 80}\n    - weight: 20\n  base: &base {deep: 1}\n" +
      "  alias: *base\n  merged:\n    <<: *base\n    own: 2\n",
  );
  it.each<[readonly (string | number)[], number, number]>([
    [[], 3, 1],
    [["spec"], 3, 1],
    [["spec", "http", 0, "route", 1, "weight"], 7, 7],
    [["spec", "http", 0, "route", 0], 6, 7],
    [["spec", "http", 0, "route", 0, "weight"], 6, 8],
    [["spec", "http", 0, "missing"], 5, 5],
    [["spec", "http", 9], 4, 3],
    [["spec", "alias", "deep"], 8, 16],
    [["spec", "merged", "deep"], 8, 16],
    [["spec", "merged", "own"], 12, 5],
  ])("finds %j", (path, line, column) => {
    expect(document.locate(path)).toEqual(fileOrigin("f.yaml", line, column));
  });
});

describe("a text nested deeper than the parser's stack", () => {
  it.each([
    ["brackets", "["],
    ["braces", "{a: "],
    ["lists in a line", "- "],
    ["keys", "? "],
    ["lists as keys", "[[]: "],
  ])("of %s is refused in words, and no recursion is begun", (_what, level) => {
    expect(parsePiece(level.repeat(20_000))).toEqual({
      kind: "broken",
      problems: [{ line: 1, column: 1, message: "nested deeper than 64 levels" }],
    });
  });
  it("is told from one that is only long", () => {
    expect(parsePiece(`a: [${"[], ".repeat(20_000)}]`).kind).toBe("document");
    expect(parsePiece(`a: ${"[".repeat(60)}${"]".repeat(60)}`).kind).toBe("document");
  });
});
