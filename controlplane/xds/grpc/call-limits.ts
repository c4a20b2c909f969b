// What one client may take of the server: streams, and the time that its requests cost. Others do not notice how much
// it asks for.
import type { Call } from "./outbox.ts";

export interface CallLimits {
  /** Open streams of one origin. A client that has a stream for each resource has one for each of its clusters. */
  readonly streamsPerOrigin: number;
  /** A stream on which nothing is said for so long after it was opened is ended. */
  readonly silenceMs: number;
  /** Never goes back. */
  readonly nowMs: () => number;
}

/**
 * An origin that asks on and on has a quarter of the server's time: for each millisecond that its requests take it
 * rests for three.
 */
const SHARE = 4;
/**
 * So much time at once costs it nothing: a proxy that starts, or a pause that it has nothing to do with, is not held
 * up.
 */
const AHEAD_MS = 1_000 * SHARE;
const LONGEST_REST_MS = 5_000;

/** Watches the calls of each origin (a pod, or a connection). */
export interface CallGuard {
  /** False when the origin has too many streams already; else the call counts until it is over. */
  enter(call: Call, from: string): boolean;
  /**
   * Reads the call at the pace that its origin has left; `serve` begins to read. Calls `silent` when nothing is said.
   */
  watch(call: Call, from: string, silent: () => void, serve: () => void): void;
}

/** A guard that has seen nobody. */
export function createCallGuard({ streamsPerOrigin, silenceMs, nowMs }: CallLimits): CallGuard {
  const open = new Map<string, number>();
  const accounts = createAccounts(nowMs, (from) => open.has(from));
  const leave = (from: string): void => {
    const left = (open.get(from) ?? 1) - 1;
    if (left > 0) return void open.set(from, left);
    open.delete(from);
    accounts.leave(from);
  };
  return {
    enter(call, from) {
      const count = open.get(from) ?? 0;
      if (count >= streamsPerOrigin) return false;
      open.set(from, count + 1);
      let isOpen = true;
      whenOver(call, () => {
        if (isOpen) leave(from);
        isOpen = false;
      });
      return true;
    },
    watch(call, from, silent, serve) {
      const silence = setTimeout(silent, silenceMs);
      call.once("data", () => clearTimeout(silence));
      whenOver(call, () => clearTimeout(silence));
      readAtPace(call, from, accounts, nowMs, serve);
    },
  };
}

/** Each request is charged with the time between the listeners before those of `serve` and the one behind them. */
function readAtPace(call: Call, from: string, accounts: Accounts, nowMs: () => number, serve: () => void): void {
  let beganMs = 0;
  const resume = (): void => {
    const restMs = accounts.restOf(from);
    if (restMs <= 0) return void call.resume();
    call.pause();
    setTimeout(resume, restMs);
  };
  call.on("data", () => (beganMs = nowMs()));
  serve();
  call.on("data", () => {
    accounts.charge(from, beganMs);
    if (accounts.restOf(from) > 0) resume();
  });
}

/** The time that each origin has taken. */
interface Accounts {
  /** For how long it is not to be read, in milliseconds. */
  restOf(from: string): number;
  /** A request of it took from then until now. */
  charge(from: string, beganMs: number): void;
  leave(from: string): void;
}

function createAccounts(nowMs: () => number, isHere: (from: string) => boolean): Accounts {
  /** When that would be used up at the origin's share. */
  const spentUntil = new Map<string, number>();
  const gone = new Set<string>();
  const isEven = (from: string): boolean => (spentUntil.get(from) ?? 0) <= nowMs();
  return {
    restOf: (from: string): number => Math.min((spentUntil.get(from) ?? 0) - nowMs() - AHEAD_MS, LONGEST_REST_MS),
    charge(from: string, beganMs: number): void {
      const now = nowMs();
      spentUntil.set(from, Math.max(spentUntil.get(from) ?? 0, now) + (now - beganMs) * SHARE);
    },
    /** Who comes again has no time anew; who does not is forgotten when a later one leaves. */
    leave(from: string): void {
      if (spentUntil.has(from)) gone.add(from);
      for (const each of gone) {
        if (!isHere(each) && !isEven(each)) continue;
        gone.delete(each);
        if (!isHere(each)) spentUntil.delete(each);
      }
    },
  };
}

/** Calls `over` at least once when nothing more comes of a call. */
export function whenOver(call: Call, over: () => void): void {
  for (const event of ["end", "cancelled", "close", "error"]) call.once(event, over);
}
