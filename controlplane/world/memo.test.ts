import { describe, expect, it } from "vitest";
import { memoized } from "./memo.ts";

describe("an answer kept per arguments", () => {
  it("is made once for the same objects and equal values, and anew for others", () => {
    let made = 0;
    const pair = memoized((left: object, name: string | undefined, right: object | undefined) => ({
      of: [left, name, right],
      made: ++made,
    }));
    const [a, b] = [{}, {}];
    const first = pair(a, "x", b);
    expect(first).toEqual({ of: [a, "x", b], made: 1 });
    expect(pair(a, "x", b)).toBe(first);
    expect([pair(b, "x", a), pair(a, "y", b), pair(a, undefined, b), pair(a, "x", undefined)]).not.toContain(first);
    expect(pair(a, "x", undefined)).toBe(pair(a, "x", undefined));
    expect(made).toBe(5);
  });

  it("may be undefined, and is kept nevertheless", () => {
    let made = 0;
    const nothing = memoized((_of: object) => void made++);
    const of = {};
    expect([nothing(of), nothing(of), made]).toEqual([undefined, undefined, 1]);
  });

  it("is not kept where the making threw", () => {
    let made = 0;
    const failing = memoized((_of: object) => {
      if (++made === 1) throw new Error("a bug");
      return made;
    });
    const of = {};
    expect(() => failing(of)).toThrow("a bug");
    expect(failing(of)).toBe(2);
  });
});
