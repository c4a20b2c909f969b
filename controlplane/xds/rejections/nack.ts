// What a stream makes of a response that its client rejected (a NACK): a part of the pure state machine.
import type { EncodedResource } from "../../snapshot/encode.ts";
import { pendingOf } from "../state-machine/pending.ts";
import { type Flight, MUST_ANSWER, type TypeState } from "../state-machine/type-state.ts";

export interface Rejected {
  readonly state: TypeState;
  /** The contents found guilty. */
  readonly culprits: readonly EncodedResource[];
  /** Contents of which one at least is guilty, and nobody knows which. They wait until they were examined. */
  readonly unclear: readonly EncodedResource[];
}

/**
 * The state after the client rejected what was on its way. Envoy may have applied a part, so all of the response counts
 * as unknown; what is not guilty is sent again. Where the culprit cannot be told the contents are to be examined.
 */
export function reject(state: TypeState, reason: string, atMs: number): Rejected {
  const { flight } = state;
  if (flight === undefined) return { state, culprits: [], unclear: [] };
  const dirty = new Map(state.dirty);
  for (const name of flight.updates.keys()) dirty.set(name, MUST_ANSWER);
  // A removal by itself has nothing that could be wrong: said once more only after what it came with.
  if (flight.updates.size > 0) for (const name of flight.removed) dirty.set(name, MUST_ANSWER);
  const culprits = culpritsNamedIn(reason, state, flight);
  const unclear = culprits.length > 0 ? [] : [...flight.updates.values()];
  const suspects = state.suspects.slice(1);
  const examined = unclear.length === 0 ? state.examined : new Set([...state.examined, ...flight.updates.keys()]);
  const rejected = { ...state, flight: undefined, dirty, suspects, examined, rejection: { reason, names: [], atMs } };
  return { state: sendNoMore(rejected, culprits), culprits, unclear };
}

/**
 * Envoy writes `Error adding/updating listener(s) <name>: <why>` (and clusters alike); of a single resource there is no
 * doubt.
 */
function culpritsNamedIn(reason: string, state: TypeState, flight: Flight): EncodedResource[] {
  const sent = [...flight.updates.values()];
  if (sent.length === 1) return sent;
  if (state.kind !== "listeners" && state.kind !== "clusters") return [];
  return sent.filter(({ name }) => reason.includes(` ${name}: `));
}

/** The state with these contents never sent to this client again. */
function sendNoMore(state: TypeState, culprits: readonly EncodedResource[]): TypeState {
  const rejected = new Map([...state.rejected].filter(([name]) => state.basis.has(name)));
  const { reason = "", atMs = 0 } = state.rejection ?? {};
  for (const { name, version } of culprits) {
    // The last one that was rejected is the last that is tried again.
    rejected.delete(name);
    rejected.set(name, { version, reason, atMs });
  }
  const rejection = state.rejection && { ...state.rejection, names: culprits.map(({ name }) => name) };
  return { ...state, rejected, rejection };
}

/** Contents that were examined, and those of them that were found guilty. */
export interface Examination {
  readonly unclear: readonly EncodedResource[];
  readonly culprits: readonly EncodedResource[];
}

/**
 * The state after an examination. Without culprits the contents are tried on the client itself, in two halves and so
 * on: nobody else knows.
 */
export function noteExamined(state: TypeState, { unclear, culprits }: Examination): TypeState {
  const examined = new Set(state.examined);
  for (const { name } of unclear) examined.delete(name);
  const names = unclear.map(({ name }) => name);
  const suspects = culprits.length > 0 ? state.suspects : [...halves(names), ...state.suspects];
  return sendNoMore({ ...state, examined, suspects }, culprits);
}

/** Words of Envoy for what its machine lacks: a file, or a free port. */
const LACKING = /(?:^|[\s'"])\/[^\s'":,]+|[Aa]ddress already in use/;

/** Returns whether a client may say yes another time: what it lacked is a matter of its machine. */
export function mayRelent(reason: string): boolean {
  return LACKING.test(reason);
}

/**
 * The state with one of the contents that the client rejected sent once more, where it is one that it may take by now.
 * One at a time, and only when nothing else is on its way: nobody else's content is to be rejected with it.
 */
export function offerAgain(state: TypeState): TypeState {
  // Of a secret Envoy keeps no more than that it has heard it: only another is looked at (proxies/refused-files.ts).
  if (state.rejected.size === 0 || state.flight !== undefined || state.kind === "secrets") return state;
  if (state.examined.size + state.suspects.length > 0 || pendingOf(state).updates.length > 0) return state;
  const found = [...state.rejected].find(([name, { reason }]) => state.dirty.has(name) && mayRelent(reason));
  return found === undefined ? state : { ...state, again: new Set([found[0]]) };
}

function halves(names: readonly string[]): string[][] {
  const middle = Math.ceil(names.length / 2);
  return [names.slice(0, middle), names.slice(middle)].filter((half) => half.length > 0);
}
