import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { inTurns, jsonPieces, LazyList, LazyRecord } from "./json-pieces.ts";

/** The value with every array and every object of it lazy. */
function lazily(value: unknown): unknown {
  if (Array.isArray(value)) return new LazyList(value, lazily);
  if (typeof value !== "object" || value === null) return value;
  return new LazyRecord(() =>
    Object.entries(value).flatMap(([name, inner]) => [undefined, [name, lazily(inner)] as const]),
  );
}

describe("JSON in pieces", () => {
  it("is JSON in one piece, indented, lazy or not", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        const whole = JSON.stringify(value, undefined, 2);
        expect([...jsonPieces(value)].join("")).toBe(whole);
        // JSON.parse has made __proto__ a field, which is what is compared here.
        expect([...jsonPieces(lazily(value))].join("")).toBe(whole);
        expect(JSON.stringify(lazily(value))).toBe(JSON.stringify(value));
      }),
    );
  });

  it("leaves out what JSON leaves out", () => {
    const value = { none: undefined, all: [1, undefined, { none: undefined }] };
    expect([...jsonPieces(value)].join("")).toBe(JSON.stringify(value, undefined, 2));
  });

  it("makes an item only when those before it were taken", () => {
    const made: number[] = [];
    const pieces = jsonPieces({ list: new LazyList([1, 2, 3], (item) => (made.push(item), { item })) })[
      Symbol.iterator
    ]();
    for (let text = ""; !text.includes('"item": 1'); ) text += String(pieces.next().value);
    expect(made).toEqual([1]);
  });

  it("is handed over a chunk for each turn, and lets others have one while there is nothing to hand over", async () => {
    let turns = 0;
    const counting = setInterval(() => turns++, 0);
    let nowMs = 0;
    const searched = new LazyRecord(function* () {
      for (let looked = 0; looked < 50; looked++) yield undefined;
      yield ["found", "x".repeat(200_000)];
    });
    const chunks: string[] = [];
    for await (const chunk of inTurns(jsonPieces(searched), () => (nowMs += 5))) chunks.push(chunk);
    clearInterval(counting);
    expect(chunks.join("")).toBe(JSON.stringify(searched, undefined, 2));
    expect(turns).toBeGreaterThan(1);
  });
});
