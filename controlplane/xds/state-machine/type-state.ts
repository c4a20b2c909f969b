// What one stream knows about one resource type: subscription, what the client holds, what is on its way.
import { changesBetween, fingerprintOf } from "../../snapshot/changes.ts";
import { routeConfigurationOf } from "../../snapshot/consistency.ts";
import type { EncodedMap, EncodedResource } from "../../snapshot/encode.ts";
import type { ResourceKind } from "../../snapshot/resources.ts";
import { allNew } from "../../snapshot/whole-maps.ts";

/** How a client speaks: what changed, or the state of the world. */
export type Dialect = "delta" | "sotw";

/**
 * The client wants all resources (`wildcard`), or these by name. A legacy wildcard is one like any other; `named`: a
 * name was named once, so that nothing asked for means nothing.
 */
export interface Subscription {
  readonly wildcard: boolean;
  readonly names: ReadonlySet<string>;
  readonly named: boolean;
}

/** The version of what the client holds under a name, HOLDS_NOTHING, or MUST_ANSWER. */
export type Held = string;
export const HOLDS_NOTHING = "";
/** Unknown, or asked for again: whatever stands under the name now is sent, its absence too. */
export const MUST_ANSWER = "?";

/** One response that waits for its answer. */
export interface Flight {
  readonly nonce: string;
  readonly updates: ReadonlyMap<string, EncodedResource>;
  readonly removed: readonly string[];
}

/** A response that the client rejected. */
export interface RejectedResponse {
  readonly reason: string;
  readonly names: readonly string[];
  readonly atMs: number;
}

/** A content that the client rejected, with its reason. */
export interface RejectedVersion {
  readonly version: string;
  readonly reason: string;
  readonly atMs: number;
}

/**
 * Invariant: a subscribed name that is neither in `dirty` nor in `flight` is held by the client exactly as `basis` has
 * it. So a stream keeps no list of what it sent, and a change costs what changed.
 */
export interface TypeState {
  readonly kind: ResourceKind | undefined;
  readonly dialect: Dialect;
  readonly subscription: Subscription;
  /** Shared with the class; what this stream is being brought to. */
  readonly basis: EncodedMap;
  /** Names to look at, with what the client holds. Contents the client rejected stay here, unsent. */
  readonly dirty: ReadonlyMap<string, Held>;
  readonly flight: Flight | undefined;
  /** By name what this client rejected; not sent to it again as long as it stands under the name. */
  readonly rejected: ReadonlyMap<string, RejectedVersion>;
  /** Of these, those that are sent once more: what the client lacked may be there by now. */
  readonly again: ReadonlySet<string>;
  /**
   * Groups of names to be tried one response at a time, after a rejection that named no resource and of which nobody
   * knew the culprit.
   */
  readonly suspects: readonly (readonly string[])[];
  /** Names of a rejected response whose culprit is being looked for elsewhere: not sent before it is found. */
  readonly examined: ReadonlySet<string>;
  /** A first wildcard request is answered even if there is nothing. */
  readonly owesAnswer: boolean;
  /** Of RDS: whose virtual hosts VHDS pushes. Set on the virtual hosts' state only. */
  readonly scope: ReadonlySet<string> | undefined;
  /** Of the last response; "" before the first. */
  readonly lastNonce: string;
  /** The version with which a client of the state of the world came back; cleared by the first content. */
  readonly resumeVersion: string;
  /** Full state only: what the client holds of names in `dirty`, to be said again beside what changes. */
  readonly held: EncodedMap;
  readonly sentBasis: EncodedMap | undefined;
  readonly ackedBasis: EncodedMap | undefined;
  readonly ackedAtMs: number | undefined;
  readonly rejection: RejectedResponse | undefined;
}

const NO_NAMES: ReadonlySet<string> = new Set();

/** The state of a type before its first request. */
export function newTypeState(kind: ResourceKind | undefined, dialect: Dialect, basis: EncodedMap): TypeState {
  return {
    kind,
    dialect,
    basis,
    subscription: { wildcard: false, names: NO_NAMES, named: false },
    dirty: new Map(),
    flight: undefined,
    rejected: new Map(),
    again: NO_NAMES,
    suspects: [],
    examined: NO_NAMES,
    owesAnswer: false,
    scope: undefined,
    lastNonce: "",
    resumeVersion: "",
    held: new Map(),
    sentBasis: undefined,
    ackedBasis: undefined,
    ackedAtMs: undefined,
    rejection: undefined,
  };
}

/** Whether each response has to be the whole state: what is missing in it is deleted by the client. */
export function isFullState({ kind, dialect }: Pick<TypeState, "kind" | "dialect">): boolean {
  return dialect === "sotw" && (kind === "clusters" || kind === "listeners");
}

/** Whether the client is to hold what stands under this name. */
export function isSubscribed(state: TypeState, name: string): boolean {
  if (state.subscription.names.has(name)) return true;
  return state.subscription.wildcard && (state.scope === undefined || state.scope.has(routeConfigurationOf(name)));
}

/** The state with new content to be brought to; only what differs is looked at. */
export function changeBasis(state: TypeState, next: EncodedMap): TypeState {
  if (next === state.basis) return state;
  if (state.resumeVersion !== "") return resume(state, next);
  if (
    state.basis.size === 0 &&
    state.dirty.size === 0 &&
    state.flight === undefined &&
    state.subscription.wildcard &&
    state.scope === undefined
  )
    return { ...state, basis: next, dirty: allNew(next) };
  let dirty: Map<string, Held> | undefined;
  let held: Map<string, EncodedResource> | undefined;
  for (const name of changesBetween(state.basis, next)) {
    if (!isSubscribed(state, name) || state.dirty.has(name)) continue;
    dirty ??= new Map(state.dirty);
    dirty.set(name, heldNow(state, name));
    const before = state.basis.get(name);
    if (!isFullState(state) || before === undefined || state.flight?.updates.has(name) === true) continue;
    held ??= new Map(state.held);
    held.set(name, before);
  }
  const rejected = stillThere(state.rejected, next);
  return { ...state, basis: next, rejected, dirty: dirty ?? state.dirty, held: held ?? state.held };
}

/** Whether the client rejected this, and it is not to be sent once more. */
export function isRejected({ rejected, again }: TypeState, { name, version }: EncodedResource): boolean {
  return rejected.get(name)?.version === version && !again.has(name);
}

function stillThere(rejected: TypeState["rejected"], next: EncodedMap): TypeState["rejected"] {
  const isThere = ([name, { version }]: readonly [string, RejectedVersion]): boolean =>
    next.get(name)?.version === version;
  return [...rejected].every(isThere) ? rejected : new Map([...rejected].filter(isThere));
}

/** A client that comes back with the version of what there is has all of it. */
function resume(state: TypeState, basis: EncodedMap): TypeState {
  const fresh = { ...state, resumeVersion: "", basis };
  if (fingerprintOf(basis) === state.resumeVersion) return { ...fresh, dirty: new Map(), owesAnswer: false };
  return {
    ...fresh,
    dirty: new Map([...state.dirty, ...[...basis.keys()].map((name) => [name, HOLDS_NOTHING] as const)]),
    owesAnswer: true,
  };
}

/** What the client holds of a name that is not dirty, trusting that it accepts what is on its way. */
function heldNow(state: TypeState, name: string): Held {
  if (state.flight?.removed.includes(name)) return HOLDS_NOTHING;
  return (state.flight?.updates.get(name) ?? state.basis.get(name))?.version ?? HOLDS_NOTHING;
}

/** The state with these names answered again, whatever the client holds. */
export function askAgain(state: TypeState, names: Iterable<string>): TypeState {
  const dirty = new Map(state.dirty);
  for (const name of names) if (isSubscribed(state, name)) dirty.set(name, MUST_ANSWER);
  return { ...state, dirty };
}

/**
 * The virtual hosts' state when the stream's route configurations are these. Hosts of a new one are sent, those of one
 * that left forgotten.
 */
export function changeScope(state: TypeState, scope: ReadonlySet<string>, again: readonly string[]): TypeState {
  const fresh = new Set([...scope].filter((route) => !state.scope?.has(route) || again.includes(route)));
  if (fresh.size === 0 && [...(state.scope ?? [])].every((route) => scope.has(route))) return { ...state, scope };
  const dirty = new Map(state.dirty);
  for (const name of state.basis.keys())
    if (!dirty.has(name) && fresh.has(routeConfigurationOf(name))) dirty.set(name, HOLDS_NOTHING);
  for (const name of state.dirty.keys()) {
    const route = routeConfigurationOf(name);
    if (state.scope?.has(route) && !scope.has(route)) dirty.delete(name);
  }
  return { ...state, scope, dirty };
}
