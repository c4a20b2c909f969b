import { afterEach, describe, expect, it, vi } from "vitest";
import { listenForStop } from "./stop-signals.ts";

describe("listenForStop", () => {
  const before = new Map(
    (["SIGINT", "SIGTERM", "SIGHUP"] as const).map((signal) => [signal, process.listeners(signal)]),
  );
  afterEach(() => {
    for (const [signal, kept] of before)
      for (const listener of process.listeners(signal)) if (!kept.includes(listener)) process.off(signal, listener);
    vi.restoreAllMocks();
  });

  function listening() {
    const exit = vi.spyOn(process, "exit").mockImplementation((() => undefined) as never);
    let nowMs = 5_000;
    const stop = listenForStop({ followParent: false, clock: { monotonicMs: () => nowMs } });
    return { exit, stop, pass: (ms: number) => void (nowMs += ms) };
  }

  it("takes the Ctrl-C that npm passes on for the one of the terminal", async () => {
    const { exit, stop, pass } = listening();
    process.emit("SIGINT", "SIGINT");
    pass(300);
    process.emit("SIGINT", "SIGINT");
    await stop.whenAsked;
    expect(stop.asked.aborted).toBe(true);
    expect(exit).not.toHaveBeenCalled();
  });

  it("ends the process at once when asked again later", () => {
    const { exit, pass } = listening();
    process.emit("SIGTERM", "SIGTERM");
    pass(1_500);
    process.emit("SIGINT", "SIGINT");
    expect(exit).toHaveBeenCalledWith(1);
  });
});
