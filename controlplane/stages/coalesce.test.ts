import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { coalesce } from "./coalesce.ts";

describe("coalesce", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());
  const clock = { monotonicMs: () => performance.now() };

  it("does once what was asked for many times in a row, and is pending until then", () => {
    const action = vi.fn();
    const trigger = coalesce(action, { quietMs: 20, atMostMs: 100, clock });
    for (let i = 0; i < 3; i++) {
      trigger.ask();
      vi.advanceTimersByTime(10);
    }
    expect([action.mock.calls.length, trigger.isPending()]).toEqual([0, true]);
    vi.advanceTimersByTime(20);
    expect([action.mock.calls.length, trigger.isPending()]).toEqual([1, false]);
  });

  it("does not wait for a quiet that never comes", () => {
    const action = vi.fn();
    const trigger = coalesce(action, { quietMs: 20, atMostMs: 100, clock });
    for (let elapsed = 0; elapsed < 350; elapsed += 10) {
      trigger.ask();
      vi.advanceTimersByTime(10);
    }
    expect(action.mock.calls.length).toBe(3);
  });

  it("does what comes alone after the quiet time, and what never ends at most so often", () => {
    const action = vi.fn();
    const trigger = coalesce(action, { quietMs: 10, atMostMs: 100, apartMs: 100, clock });
    trigger.ask();
    vi.advanceTimersByTime(10);
    expect(action.mock.calls.length).toBe(1);
    // A hundred times a second, with quiet times in between.
    for (let elapsed = 0; elapsed < 1000; elapsed += 10) {
      vi.advanceTimersByTime(10);
      trigger.ask();
    }
    vi.advanceTimersByTime(200);
    expect(action.mock.calls.length).toBeGreaterThan(8);
    expect(action.mock.calls.length).toBeLessThan(13);
  });

  it("waits as long as the one who wants the most quiet", () => {
    const action = vi.fn();
    const trigger = coalesce(action, { quietMs: 20, atMostMs: 100, clock });
    trigger.ask(5);
    vi.advanceTimersByTime(5);
    expect(action.mock.calls.length).toBe(1);
    trigger.ask();
    trigger.ask(5);
    vi.advanceTimersByTime(15);
    expect(action.mock.calls.length).toBe(1);
    vi.advanceTimersByTime(5);
    expect(action.mock.calls.length).toBe(2);
  });

  it("does nothing after it was cancelled", () => {
    const action = vi.fn();
    const trigger = coalesce(action, { quietMs: 20, atMostMs: 100, clock });
    trigger.ask();
    trigger.cancel();
    vi.advanceTimersByTime(1000);
    expect([action.mock.calls.length, trigger.isPending()]).toEqual([0, false]);
  });
});
