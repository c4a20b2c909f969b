// How fast new streams are let in: after a restart a thousand proxies come at once, and one client may come a thousand
// times.

export interface AdmissionOptions {
  readonly perSecond: number;
  /** So many at once, after a time in which nobody came. */
  readonly burst: number;
  /** Never goes back. */
  readonly nowMs: () => number;
  readonly setTimer: (callback: () => void, ms: number) => void;
}

/** Who wants in. */
export interface Candidate {
  /** Candidates of one origin wait for each other, not those of others for them: origins take turns. */
  readonly from: string;
  readonly begin: () => void;
  /** Whether it has given up: it takes nobody's turn then. */
  readonly isGone: () => boolean;
}

/** Lets candidates begin, at once or when it is their turn. */
export type Admission = (candidate: Candidate) => void;

/** An Admission at which nobody waits yet. */
export function createAdmission({ perSecond, burst, nowMs, setTimer }: AdmissionOptions): Admission {
  const waiting = new Map<string, Candidate[]>();
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
  return (candidate) => {
    const own = waiting.get(candidate.from);
    if (own === undefined) waiting.set(candidate.from, [candidate]);
    else own.push(candidate);
    takeTurns();
  };
}

/** The first that is still there of the origin whose turn it is; its origin goes behind the others. */
function nextOf(waiting: Map<string, Candidate[]>): Candidate | undefined {
  for (const [from, own] of waiting) {
    const at = own.findIndex(({ isGone }) => !isGone());
    const left = at < 0 ? [] : own.slice(at + 1);
    waiting.delete(from);
    if (left.length > 0) waiting.set(from, left);
    if (at >= 0) return own[at];
  }
  return undefined;
}
