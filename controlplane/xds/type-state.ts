// What one stream knows about one resource type: subscription, what the client holds, what is on its way.
import { routeConfigurationOf } from "../snapshot/consistency.ts";
import type { EncodedMap, EncodedResource } from "../snapshot/encode.ts";
import type { ResourceKind } from "../snapshot/resources.ts";

/** The client wants all resources (`wildcard`), or these by name. In delta xDS a legacy wildcard is one like any other. */
export interface Subscription { readonly wildcard: boolean; readonly names: ReadonlySet<string> }

/** The version of what the client holds under a name, HOLDS_NOTHING, or MUST_ANSWER. */
export type Held = string;
export const HOLDS_NOTHING = "";
/** Unknown, or asked for again: whatever stands under the name now is sent, its absence too. */
export const MUST_ANSWER = "?";

/** One response that waits for its answer. */
export interface Flight { readonly nonce: string; readonly updates: ReadonlyMap<string, EncodedResource>; readonly removed: readonly string[] }

/** A response that the client rejected. */
export interface Rejection { readonly reason: string; readonly names: readonly string[]; readonly atMs: number }

/**
 * Invariant: a subscribed name that is neither in `dirty` nor in `flight` is held by the client exactly as `basis` has it. So a
 * stream keeps no list of what it sent, and a change costs what changed.
 */
export interface TypeState {
  readonly kind: ResourceKind | undefined;
  readonly subscription: Subscription;
  /** Shared with the class; what this stream is being brought to. */
  readonly basis: EncodedMap;
  /** Names to look at, with what the client holds. Contents the client refused stay here, unsent. */
  readonly dirty: ReadonlyMap<string, Held>;
  readonly flight: Flight | undefined;
  /** Name → version that this client rejected; never sent to it again. */
  readonly refused: ReadonlyMap<string, string>;
  /** Groups of names to be tried one response at a time, after a rejection that named no resource. */
  readonly suspects: readonly (readonly string[])[];
  /** A first wildcard request is answered even if there is nothing. */
  readonly owesAnswer: boolean;
  /** Of RDS: whose virtual hosts VHDS pushes. Set on the virtual hosts' state only. */
  readonly scope: ReadonlySet<string> | undefined;
  readonly sentBasis: EncodedMap | undefined;
  readonly ackedBasis: EncodedMap | undefined;
  readonly ackedAtMs: number | undefined;
  readonly rejection: Rejection | undefined;
}

const NO_NAMES: ReadonlySet<string> = new Set();

/** The state of a type before its first request. */
export function newTypeState(kind: ResourceKind | undefined, basis: EncodedMap): TypeState {
  return {
    kind, basis,
    subscription: { wildcard: false, names: NO_NAMES },
    dirty: new Map(), flight: undefined, refused: new Map(), suspects: [], owesAnswer: false, scope: undefined,
    sentBasis: undefined, ackedBasis: undefined, ackedAtMs: undefined, rejection: undefined,
  };
}

/** Whether the client is to hold what stands under this name. */
export function isSubscribed(state: TypeState, name: string): boolean {
  if (state.subscription.names.has(name)) return true;
  return state.subscription.wildcard && (state.scope === undefined || state.scope.has(routeConfigurationOf(name)));
}

export interface SubscriptionChange { readonly subscribe: readonly string[]; readonly unsubscribe: readonly string[]; readonly initialVersions: Readonly<Record<string, string>>; readonly isFirst: boolean }

/** The state after a request's names; `*` and an empty first request of a wildcard type subscribe to everything. */
export function changeSubscription(state: TypeState, change: SubscriptionChange): TypeState {
  const { subscribe, unsubscribe, initialVersions, isFirst } = change;
  if (!isFirst && subscribe.length === 0 && unsubscribe.length === 0) return state;
  const names = new Set(state.subscription.names);
  const dirty = new Map(state.dirty);
  const versions = new Map(Object.entries(initialVersions));
  let { wildcard } = state.subscription;
  const isLegacy = isFirst && subscribe.length === 0 && isWildcardKind(state.kind);
  if (isLegacy || subscribe.includes("*")) {
    wildcard = true;
    for (const name of state.basis.keys()) if (!dirty.has(name)) dirty.set(name, HOLDS_NOTHING);
    for (const [name, version] of versions) dirty.set(name, version);
  }
  for (const name of subscribe) {
    if (name === "*") continue;
    names.add(name);
    dirty.set(name, versions.get(name) ?? MUST_ANSWER);
  }
  for (const name of unsubscribe) {
    if (name === "*") wildcard = false;
    else if (wildcard) dirty.set(name, MUST_ANSWER);
    names.delete(name);
  }
  // Only an empty client is owed an empty answer; one that comes back with resources is told what changed.
  const owesAnswer = state.owesAnswer || (wildcard && !state.subscription.wildcard && versions.size === 0);
  return withoutUnsubscribed({ ...state, subscription: { wildcard, names }, dirty, owesAnswer });
}

/** Virtual hosts count too: their request names nothing. */
function isWildcardKind(kind: ResourceKind | undefined): boolean {
  return kind === "clusters" || kind === "listeners" || kind === "virtualHosts";
}

function withoutUnsubscribed(state: TypeState): TypeState {
  if (state.scope !== undefined) return state;
  const dirty = new Map([...state.dirty].filter(([name]) => isSubscribed(state, name)));
  return { ...state, dirty };
}

/** The state with new content to be brought to; only what differs is looked at. */
export function changeBasis(state: TypeState, next: EncodedMap): TypeState {
  if (next === state.basis) return state;
  let dirty: Map<string, Held> | undefined;
  for (const name of changedNames(state.basis, next)) {
    if (!isSubscribed(state, name) || state.dirty.has(name)) continue;
    dirty ??= new Map(state.dirty);
    dirty.set(name, heldNow(state, name));
  }
  return { ...state, basis: next, dirty: dirty ?? state.dirty };
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

/** The virtual hosts' state when the stream's route configurations are these. Hosts of a new one are sent, those of one that left forgotten. */
export function changeScope(state: TypeState, scope: ReadonlySet<string>, again: readonly string[]): TypeState {
  const dirty = new Map(state.dirty);
  const fresh = new Set([...scope].filter((route) => !state.scope?.has(route) || again.includes(route)));
  for (const name of state.basis.keys()) if (!dirty.has(name) && fresh.has(routeConfigurationOf(name))) dirty.set(name, HOLDS_NOTHING);
  for (const name of state.dirty.keys()) {
    const route = routeConfigurationOf(name);
    if (state.scope?.has(route) && !scope.has(route)) dirty.delete(name);
  }
  return { ...state, scope, dirty };
}

const differences = new WeakMap<EncodedMap, WeakMap<EncodedMap, readonly string[]>>();

/** Names whose content differs, computed once for all streams that go from one to the other. */
export function changedNames(before: EncodedMap, after: EncodedMap): readonly string[] {
  let known = differences.get(before);
  if (known === undefined) differences.set(before, (known = new WeakMap()));
  let names = known.get(after);
  if (names === undefined) known.set(after, (names = compare(before, after)));
  return names;
}

function compare(before: EncodedMap, after: EncodedMap): string[] {
  const names: string[] = [];
  for (const [name, resource] of after) if (before.get(name)?.version !== resource.version) names.push(name);
  for (const name of before.keys()) if (!after.has(name)) names.push(name);
  return names;
}
