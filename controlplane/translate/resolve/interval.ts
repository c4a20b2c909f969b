// Lengths of time in specs.
import { parseDurationMs } from "../../model/duration.ts";

/** Returns the whole milliseconds, at least 1, of a duration that validation has accepted. */
export function intervalMs(text: string): number {
  return Math.max(1, Math.round(parseDurationMs(text) ?? 1));
}
