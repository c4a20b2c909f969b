import { readFileSync } from "node:fs";
import type { Clock } from "../telemetry/clock.ts";
import { exitCodes } from "./exit-codes.ts";

/** Tells when this process is asked to end. */
export interface StopSignals {
  readonly asked: AbortSignal;
  /** Resolves when asked. */
  readonly whenAsked: Promise<void>;
}

const PARENT_POLL_MS = 500;
/**
 * npm passes on the Ctrl-C that the terminal has already given to this process as well: within this time it is the same
 * one.
 */
const SAME_SIGNAL_MS = 1_000;

export interface StopOptions {
  /** Also asks when the process that started this one is gone (npm killed by force). */
  readonly followParent: boolean;
  readonly clock: Pick<Clock, "monotonicMs">;
}

/** Listens for SIGINT, SIGTERM and SIGHUP; one more, a second later or more, ends the process at once. */
export function listenForStop({ followParent, clock }: StopOptions): StopSignals {
  const controller = new AbortController();
  let askedAtMs = 0;
  const whenAsked = new Promise<void>((resolve) =>
    controller.signal.addEventListener("abort", () => resolve(), { once: true }),
  );
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    // Under nohup a hang-up is none of our business; a handler would make it ours again.
    if (signal === "SIGHUP" && isHangUpIgnored()) continue;
    process.on(signal, () => {
      if (!controller.signal.aborted) askedAtMs = clock.monotonicMs();
      else if (signal !== "SIGHUP" && clock.monotonicMs() - askedAtMs >= SAME_SIGNAL_MS) process.exit(exitCodes.failed);
      controller.abort();
    });
  }
  if (followParent) {
    const parent = process.ppid;
    setInterval(() => {
      if (process.ppid !== parent) controller.abort();
    }, PARENT_POLL_MS).unref();
  }
  return { asked: controller.signal, whenAsked };
}

const SIGHUP_BIT = 1n;

function isHangUpIgnored(): boolean {
  try {
    const mask = /^SigIgn:\s+([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
    return mask !== undefined && (BigInt(`0x${mask}`) & SIGHUP_BIT) !== 0n;
  } catch {
    return false;
  }
}
