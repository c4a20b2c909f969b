// What a type still has to send, and what becomes of a response that was sent and accepted.
import type { EncodedResource } from "../../snapshot/encode.ts";
import { allNew, contentsOf, routesOfHosts } from "../../snapshot/whole-maps.ts";
import { heldAfter } from "./full-state.ts";
import {
  type Flight,
  type Held,
  HOLDS_NOTHING,
  isFullState,
  isRejected,
  isSubscribed,
  MUST_ANSWER,
  type TypeState,
} from "./type-state.ts";

/** What could be sent at this moment. Answers that say "not there" count as updates: nothing may hold them up. */
export interface Pending {
  readonly updates: readonly EncodedResource[];
  readonly absent: readonly string[];
  readonly removals: readonly string[];
  readonly settled: readonly string[];
}

/** Nothing to send. */
export const NOTHING_PENDING: Pending = { updates: [], absent: [], removals: [], settled: [] };

/**
 * What is to be sent of a type; `settled` names need no more attention. Contents that the client rejected are left out.
 */
export function pendingOf(state: TypeState): Pending {
  if (state.dirty.size === 0) return NOTHING_PENDING;
  if (state.examined.size + state.suspects.length + state.rejected.size + state.held.size > 0)
    return lookThrough(state);
  if (takesAll(state)) return { ...NOTHING_PENDING, updates: contentsOf(state.basis) };
  const last = seen.get(state.dirty);
  if (
    last !== undefined &&
    last.basis === state.basis &&
    last.subscription.names === state.subscription.names &&
    last.subscription.wildcard === state.subscription.wildcard &&
    last.scope === state.scope &&
    last.kind === state.kind &&
    last.dialect === state.dialect
  )
    return last.pending;
  const pending = lookThrough(state);
  const { basis, subscription, scope, kind, dialect } = state;
  seen.set(state.dirty, { basis, subscription, scope, kind, dialect, pending });
  return pending;
}

/**
 * For each set of names, what was found last: it is looked at at every event until it is sent, and streams that come
 * share it.
 */
const seen = new WeakMap<
  TypeState["dirty"],
  Pick<TypeState, "basis" | "subscription" | "scope" | "kind" | "dialect"> & { readonly pending: Pending }
>();

/** Whether the client wants everything and has nothing of it. */
function takesAll({ dirty, basis, subscription, scope }: TypeState): boolean {
  if (!subscription.wildcard || dirty !== allNew(basis)) return false;
  return scope === undefined || [...routesOfHosts(basis)].every((route) => scope.has(route));
}

function lookThrough(state: TypeState): Pending {
  const group = state.suspects.length === 0 ? undefined : new Set(state.suspects[0]);
  const pending = {
    updates: [] as EncodedResource[],
    absent: [] as string[],
    removals: [] as string[],
    settled: [] as string[],
  };
  for (const [name, held] of state.dirty) {
    if (state.examined.has(name) || group?.has(name) === false || !isSubscribed(state, name)) continue;
    const target = state.basis.get(name);
    if (target !== undefined) {
      if (target.version === held) pending.settled.push(name);
      else if (!isRejected(state, target)) pending.updates.push(target);
    } else if (isLeftUnsaid(state, held)) pending.settled.push(name);
    else if (held === MUST_ANSWER && !state.held.has(name)) pending.absent.push(name);
    else pending.removals.push(name);
  }
  return pending;
}

/**
 * Absence is not told to who has nothing, and cannot be told by a partial state of the world: such a client hears of a
 * name when it appears.
 */
function isLeftUnsaid(state: TypeState, held: Held): boolean {
  if (held === HOLDS_NOTHING || (state.dialect === "sotw" && !isFullState(state))) return true;
  return held !== MUST_ANSWER && leavesWithItsListener(state);
}

/**
 * A filter that left a chain still serves the connections that the old chain has: told that its configuration is gone,
 * Envoy would answer their next request with 500 (seen). It unsubscribes by itself when the last of them is closed.
 */
function leavesWithItsListener(state: TypeState): boolean {
  return state.kind === "extensionConfigs";
}

/** Whether updates or answers wait to be sent. */
export function hasUpdates(pending: Pending, state: TypeState): boolean {
  return pending.updates.length > 0 || pending.absent.length > 0 || state.owesAnswer;
}

/** The state without the names that turned out to need nothing, and without suspect groups that are done. */
export function settle(state: TypeState, pending: Pending): TypeState {
  let next = state;
  if (pending.settled.length > 0) {
    const dirty = new Map(state.dirty);
    for (const name of pending.settled) dirty.delete(name);
    next = { ...next, dirty };
  }
  const isGroupDone =
    next.suspects.length > 0 && pending.updates.length + pending.absent.length + pending.removals.length === 0;
  return isGroupDone ? settleGroups(next) : next;
}

function settleGroups(state: TypeState): TypeState {
  const rest = { ...state, suspects: state.suspects.slice(1) };
  return settle(rest, pendingOf(rest));
}

const NOTHING: ReadonlySet<string> = new Set();

/** The state with a response on its way. */
export function sendOff(state: TypeState, flight: Flight): TypeState {
  const isAll = flight.updates.size + flight.removed.length === state.dirty.size;
  const rest = { ...state, flight, again: NOTHING, owesAnswer: false, sentBasis: state.basis, lastNonce: flight.nonce };
  if (isAll) return { ...rest, dirty: new Map() };
  const dirty = new Map(state.dirty);
  for (const name of flight.updates.keys()) dirty.delete(name);
  for (const name of flight.removed) dirty.delete(name);
  return { ...rest, dirty };
}

function withoutAll(rejected: TypeState["rejected"], accepted: Flight["updates"]): TypeState["rejected"] {
  if (rejected.size === 0) return rejected;
  return new Map([...rejected].filter(([name]) => !accepted.has(name)));
}

/** The state after the client accepted what was on its way. */
export function accept(state: TypeState): TypeState {
  const { flight } = state;
  if (flight === undefined) return state;
  return {
    ...state,
    flight: undefined,
    suspects: state.suspects.slice(1),
    rejected: withoutAll(state.rejected, flight.updates),
    held: isFullState(state) ? heldAfter(state) : state.held,
  };
}
