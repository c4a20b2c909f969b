import { describe, expect, it } from "vitest";
import { interned } from "./interned.ts";

describe("messages kept by content", () => {
  it("are the same object for equal content, made once, apart for each context", () => {
    let made = 0;
    const build = interned(
      (input: { a: number; b: number }) => input.a,
      (input, context) => ({ context, a: input.a, made: ++made }),
    );
    const one = build({ a: 1, b: 1 }, "x");
    expect(build({ a: 1, b: 2 }, "x")).toBe(one);
    expect(build({ a: 2, b: 1 }, "x")).not.toBe(one);
    expect(build({ a: 1, b: 1 }, "y")).toEqual({ context: "y", a: 1, made: 3 });
  });
});
