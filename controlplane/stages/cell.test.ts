import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createCell, createGatheredCell } from "./cell.ts";

describe("a cell", () => {
  it("is read as it was set last, and tells its followers in their order", () => {
    const cell = createCell(1);
    const heard: string[] = [];
    cell.subscribe((value) => heard.push(`first ${value}`));
    cell.subscribe((value) => heard.push(`second ${value}, read ${cell.read()}`));
    cell.set(2);
    expect(heard).toEqual(["first 2", "second 2, read 2"]);
  });

  it("says nothing of a value that it has already", () => {
    const value = {};
    const cell = createCell(value);
    const heard = vi.fn();
    cell.subscribe(heard);
    cell.set(value);
    expect(heard).not.toHaveBeenCalled();
    cell.set({});
    expect(heard).toHaveBeenCalledOnce();
  });

  it("tells nobody who ended it, even in the middle of telling", () => {
    const cell = createCell(1);
    const heard = vi.fn();
    const end = cell.subscribe(heard);
    end();
    cell.set(2);
    expect(heard).not.toHaveBeenCalled();
  });
});

describe("a gathered cell", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const clock = { monotonicMs: () => Date.now() };
  const gathered = (quietMs = 10) => {
    const left = createCell(1);
    const right = createCell(1);
    const sum = createGatheredCell(() => left.read() + right.read(), { quietMs, atMostMs: 100, clock });
    const heard: number[] = [];
    sum.subscribe((value) => heard.push(value));
    return { left, right, sum, heard };
  };

  it("is worked out when it is read, and tells of a burst over all its sources once", () => {
    const { left, right, sum, heard } = gathered();
    sum.gather(left);
    sum.gather(right);
    left.set(2);
    right.set(5);
    expect(sum.read()).toBe(7);
    expect(sum.isPending()).toBe(true);
    vi.advanceTimersByTime(10);
    expect(heard).toEqual([7]);
    expect(sum.isPending()).toBe(false);
  });

  it("is sooner where a source's value says so, and at once where it asks for no quiet at all", () => {
    const { left, right, sum, heard } = gathered(50);
    sum.gather(left, (value) => (value > 10 ? 0 : 50));
    sum.gather(right, () => 2);
    right.set(2);
    vi.advanceTimersByTime(2);
    expect(heard).toEqual([3]);
    left.set(3);
    vi.advanceTimersByTime(10);
    left.set(11);
    vi.advanceTimersByTime(0);
    expect(heard).toEqual([3, 13]);
  });

  it("tells nothing more when it is closed, not even what changed before", () => {
    const { left, sum, heard } = gathered();
    sum.gather(left);
    left.set(2);
    sum.close();
    left.set(3);
    vi.advanceTimersByTime(1_000);
    expect(heard).toEqual([]);
    expect(sum.isPending()).toBe(false);
  });

  it("tells of changes that no source told of", () => {
    const { sum, heard } = gathered();
    sum.changed();
    vi.advanceTimersByTime(10);
    expect(heard).toEqual([2]);
  });
});
