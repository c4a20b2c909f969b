import { EventEmitter } from "node:events";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createCallGuard } from "./call-limits.ts";
import type { Call } from "./outbox.ts";

class FakeCall extends EventEmitter {
  isReading = true;
  pause(): void {
    this.isReading = false;
  }
  resume(): void {
    this.isReading = true;
  }
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("who took more than its share rests, also if it comes again; who has made up for it is read at once", () => {
  let nowMs = 0;
  const guard = createCallGuard({ streamsPerOrigin: 10, silenceMs: 60_000, nowMs: () => nowMs });
  /** A call whose requests each take so long. */
  const enter = (from: string, workMs: number): FakeCall => {
    const call = new FakeCall();
    guard.enter(call as unknown as Call, from);
    guard.watch(
      call as unknown as Call,
      from,
      () => undefined,
      () => call.on("data", () => (nowMs += workMs)),
    );
    call.emit("data");
    return call;
  };
  const first = enter("a", 1_500);
  expect(first.isReading).toBe(false);
  first.emit("close");
  expect([enter("a", 1).isReading, enter("b", 1).isReading]).toEqual([false, true]);

  const short = enter("c", 1_500);
  short.emit("close");
  nowMs += 60_000;
  // Somebody else's leaving is when who is gone is forgotten.
  enter("d", 1).emit("close");
  expect(enter("c", 1).isReading).toBe(true);
});
