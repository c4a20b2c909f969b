import { describe, expect, it } from "vitest";
import { createQuestionPace } from "./question-pace.ts";

/** Time that passes where somebody works or rests, and nowhere else. */
function createTime() {
  let nowMs = 0;
  return {
    work: (ms: number) => void (nowMs += ms),
    now: () => nowMs,
    clock: { monotonicMs: () => nowMs, sleep: async (ms: number) => void (nowMs += ms) },
  };
}

describe("questions about the control plane", () => {
  it("take a fifth of the time at most, however many there are", async () => {
    const { work, now, clock } = createTime();
    const ask = createQuestionPace(clock);
    const answers = await Promise.all(
      [1, 2, 3, 4, 5].map((number) =>
        ask(`pod-${number}`, () => {
          work(100);
          return [number, now()];
        }),
      ),
    );
    expect(answers).toEqual([
      [1, 100],
      [2, 600],
      [3, 1_100],
      [4, 1_600],
      [5, 2_100],
    ]);
  });

  it("are refused to who has sixteen waiting, and to nobody else", async () => {
    const ask = createQuestionPace(createTime().clock);
    const flood = Array.from({ length: 20 }, (_, number) => ask("flood", () => number));
    const other = ask("other", () => "answered");
    expect((await Promise.all(flood)).filter((answer) => answer === undefined)).toHaveLength(4);
    expect(await other).toBe("answered");
    expect(await ask("flood", () => "again")).toBe("again");
  });

  it("go on after one that could not be answered", async () => {
    const ask = createQuestionPace(createTime().clock);
    await expect(
      ask("a", () => {
        throw new Error("no");
      }),
    ).rejects.toThrow("no");
    expect(await ask("a", () => "yes")).toBe("yes");
  });
});
