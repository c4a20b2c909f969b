// How long to leave an API server alone. Pure.
import type { WatchEnd } from "./api-client.ts";

const FIRST_MS = 500;
const LONGEST_MS = 8_000;
/** For what only people change: permissions, and which kinds there are. */
const SELDOM_MS = 10_000;
/** A watch that ends sooner was not one that ran its time. */
const SHORT_MS = 1_000;

export interface Past {
  /** In a row, this one included. */
  readonly failures: number;
  readonly lastedMs: number;
  /** From 0 up to 1: clients must not come back all at once. */
  readonly random: number;
}

/** Returns how long to wait after what ended so, in milliseconds. */
export function pauseAfter(end: WatchEnd, { failures, lastedMs, random }: Past): number {
  if (failures === 0) return end.kind === "closed" && lastedMs < SHORT_MS ? Math.ceil(SHORT_MS * random) : 0;
  const isSeldom = end.kind === "answer" && (end.status === 403 || end.status === 404);
  const longestMs = isSeldom ? SELDOM_MS : LONGEST_MS;
  const backoffMs = Math.min(FIRST_MS * 2 ** (failures - 1), longestMs) * (0.5 + random / 2);
  return Math.ceil(Math.max(backoffMs, end.kind === "answer" ? (end.retryAfterMs ?? 0) : 0));
}
