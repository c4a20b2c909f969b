// The state of the world as one response has it: for clusters and listeners everything, for the others what changed.
import { createHash } from "node:crypto";
import { fingerprintOf } from "../../snapshot/changes.ts";
import type { EncodedResource } from "../../snapshot/encode.ts";
import { isRejected, isSubscribed, type TypeState } from "./type-state.ts";

/**
 * All that the client is to have after a full-state response that removes these names. What else is to be removed is in
 * it still: something may lead there until the other types have followed. Contents that the client rejected, or that
 * are being examined, are replaced by what it holds.
 */
export function wholeState(state: TypeState, removed: readonly string[]): EncodedResource[] {
  const all: EncodedResource[] = [];
  const group = state.suspects.length === 0 ? undefined : new Set(state.suspects[0]);
  for (const [name, resource] of state.basis) {
    if (!isSubscribed(state, name)) continue;
    const isHeldBack =
      state.dirty.has(name) && (isRejected(state, resource) || state.examined.has(name) || group?.has(name) === false);
    const said = isHeldBack ? state.held.get(name) : resource;
    if (said !== undefined) all.push(said);
  }
  const gone = new Set(removed);
  for (const [name, resource] of state.held)
    if (!state.basis.has(name) && !gone.has(name) && isSubscribed(state, name)) all.push(resource);
  return all;
}

/** The version_info of a response: of all that the class has where the client gets just that, else of what is sent. */
export function versionInfoOf(state: TypeState, sent: readonly EncodedResource[]): string {
  if (state.held.size === 0 && state.rejected.size === 0 && state.subscription.wildcard)
    return fingerprintOf(state.basis);
  const hash = createHash("sha256");
  for (const { name, version } of sent) hash.update(`${name}\0${version}\0`);
  return hash.digest("hex").slice(0, 12);
}

/**
 * What a full-state client holds after it accepted its response: content that changed again meanwhile is remembered.
 */
export function heldAfter(state: TypeState): TypeState["held"] {
  const { flight, held } = state;
  if (flight === undefined || (held.size === 0 && state.dirty.size === 0)) return held;
  const next = new Map(held);
  for (const [name, resource] of flight.updates) {
    if (state.dirty.has(name)) next.set(name, resource);
    else next.delete(name);
  }
  for (const name of flight.removed) next.delete(name);
  return next;
}
