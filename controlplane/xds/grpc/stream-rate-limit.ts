// How fast new streams are let in: after a restart a thousand proxies come at once, and one client may come a thousand
// times.

export interface StreamRateLimitOptions {
  readonly perSecond: number;
  /** So many at once, after a time in which nobody came. */
  readonly burst: number;
  /** Never goes back. */
  readonly nowMs: () => number;
  readonly setTimer: (callback: () => void, ms: number) => void;
}

/** Who wants in. */
export interface Arrival {
  /** arrivals of one origin wait for each other, not those of others for them: origins take turns. */
  readonly from: string;
  readonly begin: () => void;
  /** Whether it has given up: it takes nobody's turn then. */
  readonly isGone: () => boolean;
}

/** Lets arrivals begin, at once or when it is their turn. */
export type StreamRateLimit = (arrival: Arrival) => void;

/** An StreamRateLimit at which nobody waits yet. */
export function createStreamRateLimit({ perSecond, burst, nowMs, setTimer }: StreamRateLimitOptions): StreamRateLimit {
  const waiting = new Map<string, Arrival[]>();
  let places = burst;
  let countedAtMs = nowMs();
  let isTimed = false;
  const count = (): void => {
    const now = nowMs();
    places = Math.min(burst, places + ((now - countedAtMs) * perSecond) / 1000);
    countedAtMs = now;
  };
  const takeTurns = (): void => {
    count();
    while (places >= 1) {
      const next = nextOf(waiting);
      if (next === undefined) return;
      places--;
      next.begin();
    }
    if (isTimed || waiting.size === 0) return;
    isTimed = true;
    setTimer(
      () => {
        isTimed = false;
        takeTurns();
      },
      Math.ceil(((1 - places) * 1000) / perSecond),
    );
  };
  return (arrival) => {
    const own = waiting.get(arrival.from);
    if (own === undefined) waiting.set(arrival.from, [arrival]);
    else own.push(arrival);
    takeTurns();
  };
}

/** The first that is still there of the origin whose turn it is; its origin goes behind the others. */
function nextOf(waiting: Map<string, Arrival[]>): Arrival | undefined {
  for (const [from, own] of waiting) {
    const at = own.findIndex(({ isGone }) => !isGone());
    const left = at < 0 ? [] : own.slice(at + 1);
    waiting.delete(from);
    if (left.length > 0) waiting.set(from, left);
    if (at >= 0) return own[at];
  }
  return undefined;
}
