// What a request's names do to a type's subscription: by difference (delta), or the whole list anew (state of the
// world).
import { fingerprintOf } from "../../snapshot/changes.ts";
import { allNew } from "../../snapshot/whole-maps.ts";
import { askedTogether } from "./shared-names.ts";
import { type Held, HOLDS_NOTHING, isFullState, isSubscribed, MUST_ANSWER, type TypeState } from "./type-state.ts";

export interface SubscriptionChange {
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  readonly initialVersions: Readonly<Record<string, string>>;
  readonly isFirst: boolean;
}

/**
 * The state after a delta request's names; `*` and an empty first request of a wildcard type subscribe to everything.
 */
export function changeSubscription(state: TypeState, change: SubscriptionChange): TypeState {
  const { subscribe, unsubscribe, initialVersions, isFirst } = change;
  if (!isFirst && subscribe.length === 0 && unsubscribe.length === 0) return state;
  const versions = new Map(Object.entries(initialVersions));
  if (isNew(state) && versions.size + unsubscribe.length === 0) {
    const begun = beginWith(state, subscribe, isFirst);
    if (begun !== undefined) return begun;
  }
  const names = new Set(state.subscription.names);
  const dirty = new Map(state.dirty);
  let { wildcard } = state.subscription;
  const isLegacy = isFirst && subscribe.length === 0 && isWildcardKind(state);
  if (isLegacy || subscribe.includes("*")) {
    wildcard = true;
    addAll(dirty, state);
    for (const [name, version] of versions) dirty.set(name, version);
  }
  for (const name of subscribe) {
    if (name === "*") continue;
    names.add(ownName(state, name));
    dirty.set(name, versions.get(name) ?? MUST_ANSWER);
  }
  for (const name of unsubscribe) {
    if (name === "*") wildcard = false;
    else if (wildcard) dirty.set(name, MUST_ANSWER);
    names.delete(name);
  }
  // Only an empty client is owed an empty answer; one that comes back with resources is told what changed.
  const isAnswered =
    (wildcard && !state.subscription.wildcard && versions.size === 0) || isUnknownAsked(state, isFirst);
  const subscription = { wildcard, names, named: state.subscription.named || names.size > 0 };
  const changed = { ...state, subscription, dirty, owesAnswer: state.owesAnswer || isAnswered };
  return unsubscribe.length === 0 ? changed : withoutUnsubscribed(changed);
}

function isNew({ subscription, dirty }: TypeState): boolean {
  return !subscription.wildcard && subscription.names.size + dirty.size === 0;
}

/**
 * The state of a client that comes with nothing and asks for everything, or for many names at once: what others who
 * came so have is shared with it.
 */
function beginWith(state: TypeState, subscribe: readonly string[], isFirst: boolean): TypeState | undefined {
  if (isFirst && subscribe.length === 0 && isWildcardKind(state))
    return {
      ...state,
      subscription: { ...state.subscription, wildcard: true },
      dirty: allNew(state.basis),
      owesAnswer: true,
    };
  const together = subscribe.includes("*") ? undefined : askedTogether(subscribe);
  return (
    together && {
      ...state,
      subscription: { wildcard: false, names: together.names, named: true },
      dirty: together.asked,
      owesAnswer: state.owesAnswer || isUnknownAsked(state, isFirst),
    }
  );
}

export interface SubscriptionList {
  readonly names: readonly string[];
  readonly version: string;
  readonly isFirst: boolean;
  readonly hasContent: boolean;
}

/** The state after a state-of-the-world request's names, which are all that the client wants from now on. */
export function replaceSubscription(
  state: TypeState,
  { names: list, version, isFirst, hasContent }: SubscriptionList,
): TypeState {
  const before = state.subscription;
  const isLegacy = list.length === 0 && isWildcardKind(state) && !before.named;
  if (!isFirst && isSameList(state, list, isLegacy)) return state;
  const wildcard = isLegacy || list.includes("*");
  const names = new Set(list.filter((name) => name !== "*").map((name) => ownName(state, name)));
  const subscription = { wildcard, names, named: before.named || list.length > 0 };
  const isNewWildcard = wildcard && !before.wildcard;
  if (isFirst && isLegacy && version !== "" && isFullState(state)) {
    if (!hasContent) return { ...state, subscription, resumeVersion: version };
    if (fingerprintOf(state.basis) === version) return { ...state, subscription };
  }
  const dirty = new Map(state.dirty);
  if (isNewWildcard) addAll(dirty, state);
  for (const name of names) if (!before.names.has(name)) dirty.set(name, MUST_ANSWER);
  return withoutUnsubscribed({
    ...state,
    subscription,
    dirty,
    owesAnswer: state.owesAnswer || isNewWildcard || isUnknownAsked(state, isFirst),
  });
}

function isSameList({ subscription }: TypeState, list: readonly string[], isLegacy: boolean): boolean {
  if (list.length === 0) return subscription.names.size === 0 && subscription.wildcard === isLegacy;
  const named = list.includes("*") ? list.length - 1 : list.length;
  if (subscription.wildcard !== list.includes("*") || named !== subscription.names.size) return false;
  return list.every((name) => name === "*" || subscription.names.has(name));
}

function addAll(dirty: Map<string, Held>, state: TypeState): void {
  for (const name of state.basis.keys()) if (!dirty.has(name)) dirty.set(name, HOLDS_NOTHING);
}

/** The name as the class has it, so that a thousand streams do not each keep a copy. */
function ownName(state: TypeState, name: string): string {
  return state.basis.get(name)?.name ?? name;
}

/** Virtual hosts count too: their request names nothing. */
function isWildcardKind({ kind }: TypeState): boolean {
  return kind === "clusters" || kind === "listeners" || kind === "virtualHosts";
}

/** Types that are not served are answered once, as empty. */
function isUnknownAsked({ kind }: TypeState, isFirst: boolean): boolean {
  return kind === undefined && isFirst;
}

function withoutUnsubscribed(state: TypeState): TypeState {
  if (state.scope !== undefined) return state;
  const isGone = (name: string): boolean => !isSubscribed(state, name);
  const dirty = [...state.dirty.keys()].some(isGone)
    ? new Map([...state.dirty].filter(([name]) => !isGone(name)))
    : state.dirty;
  const held = [...state.held.keys()].some(isGone)
    ? new Map([...state.held].filter(([name]) => !isGone(name)))
    : state.held;
  return { ...state, dirty, held };
}
