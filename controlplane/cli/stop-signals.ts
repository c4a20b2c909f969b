import { readFileSync } from "node:fs";
import { exitCodes } from "./exit-codes.ts";

/** Tells when this process is asked to end. */
export interface StopSignals {
  readonly asked: AbortSignal;
  /** Resolves when asked. */
  readonly whenAsked: Promise<void>;
}

const PARENT_POLL_MS = 500;

/**
 * Listens for SIGINT, SIGTERM and SIGHUP; a second one ends the process at once. `followParent` also asks when the process that
 * started this one is gone (npm killed by force).
 */
export function listenForStop(options: { readonly followParent: boolean }): StopSignals {
  const controller = new AbortController();
  const whenAsked = new Promise<void>((resolve) => controller.signal.addEventListener("abort", () => resolve(), { once: true }));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    // Under nohup a hang-up is none of our business; a handler would make it ours again.
    if (signal === "SIGHUP" && isHangUpIgnored()) continue;
    process.on(signal, () => {
      if (controller.signal.aborted && signal !== "SIGHUP") process.exit(exitCodes.failed);
      controller.abort();
    });
  }
  if (options.followParent) {
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
