// What leaves a stream, and in which order: clusters, endpoints, listeners, routes, virtual hosts; removals last, the
// other way round.
import type { EncodedResource } from "../../snapshot/encode.ts";
import type { ResourceKind } from "../../snapshot/resources.ts";
import { kindOf, resourceKinds, resourceTypes } from "../../snapshot/type-urls.ts";
import { versionInfoOf, wholeState } from "./full-state.ts";
import { hasUpdates, NOTHING_PENDING, type Pending, pendingOf, sendOff, settle } from "./pending.ts";
import type { StreamEffect } from "./stream-events.ts";
import { type StreamState, withType } from "./stream-state.ts";
import { askAgain, isFullState, type TypeState } from "./type-state.ts";
import { endpointNamesOf, noteWarming } from "./warming.ts";

const CLUSTERS = resourceTypes.clusters.typeUrl;
const ENDPOINTS = resourceTypes.endpoints.typeUrl;
const ROUTES = resourceTypes.routes.typeUrl;

/** Removals go last and the other way round: routes leave before the clusters they named. */
const REMOVAL_ORDER: readonly ResourceKind[] = [
  "listeners",
  "virtualHosts",
  "routes",
  "extensionConfigs",
  "secrets",
  "clusters",
  "endpoints",
];
/** What refers to clusters waits until these and their endpoints have arrived. */
const AFTER_CLUSTERS: ReadonlySet<ResourceKind> = new Set(["listeners", "routes", "virtualHosts"]);

/** The state after all was sent that can be at this moment, and the notes of what needs no more sending. */
export function sendWhatIsDue(state: StreamState, nowMs: number, effects: StreamEffect[]): StreamState {
  if (state.content === undefined || state.isFull) return state;
  // Most events are acknowledgements, and room in a socket: then there is nothing to look for.
  if (!hasWork(state)) return noteQuiet(state, NONE_PENDING, nowMs, effects);
  const run = { state, pending: new Map<string, Pending>(), effects };
  for (const typeUrl of state.types.keys()) lookAt(run, typeUrl, state.types.get(typeUrl)!);
  for (const kind of resourceKinds) sendUpdates(run, resourceTypes[kind].typeUrl);
  for (const typeUrl of state.types.keys()) if (kindOf(typeUrl) === undefined) sendUpdates(run, typeUrl);
  for (const kind of REMOVAL_ORDER) if (!sendRemovals(run, kind)) break;
  return noteQuiet(run.state, run.pending, nowMs, effects);
}

function hasWork(state: StreamState): boolean {
  for (const { dirty, owesAnswer, suspects } of state.types.values())
    if (dirty.size > 0 || owesAnswer || suspects.length > 0) return true;
  return false;
}

interface Run {
  state: StreamState;
  /** By type URL. */
  readonly pending: Map<string, Pending>;
  readonly effects: StreamEffect[];
}
const NONE_PENDING: ReadonlyMap<string, Pending> = new Map();
const NO_RESOURCES: readonly EncodedResource[] = [];
const NO_NAMES: readonly string[] = [];

function lookAt(run: Run, typeUrl: string, type: TypeState): void {
  const pending = pendingOf(type);
  const settled = settle(type, pending);
  if (settled !== type) run.state = withType(run.state, typeUrl, settled);
  run.pending.set(typeUrl, settled.suspects === type.suspects ? pending : pendingOf(settled));
}

function sendUpdates(run: Run, typeUrl: string): void {
  const type = run.state.types.get(typeUrl);
  const pending = run.pending.get(typeUrl);
  if (type === undefined || pending === undefined || type.flight !== undefined || !hasUpdates(pending, type)) return;
  if (type.kind !== undefined && AFTER_CLUSTERS.has(type.kind) && isMoving(run, CLUSTERS, ENDPOINTS)) return;
  if (type.kind === "virtualHosts" && isMoving(run, ROUTES)) return;
  const { updates, absent, removals } = pending;
  const isUnresolved = (name: string): boolean => type.kind === "virtualHosts" && type.subscription.names.has(name);
  const removed = absent.filter((name) => !isUnresolved(name));
  send(run, typeUrl, type, { updates, removed, unresolved: absent.filter(isUnresolved) });
  run.pending.set(typeUrl, removals.length === 0 ? NOTHING_PENDING : { ...NOTHING_PENDING, removals });
  if (typeUrl === CLUSTERS) announceEndpoints(run, type, updates);
}

/** Whether something of these types is on its way, or could be sent. */
function isMoving(run: Run, ...typeUrls: readonly string[]): boolean {
  if (typeUrls.includes(ENDPOINTS) && run.state.awaited.size > 0) return true;
  return typeUrls.some((typeUrl) => {
    const type = run.state.types.get(typeUrl);
    return type !== undefined && (type.flight !== undefined || hasUpdates(run.pending.get(typeUrl)!, type));
  });
}

interface Changes {
  readonly updates: readonly EncodedResource[];
  readonly removed: readonly string[];
  /** See SendEffect. */
  readonly unresolved: readonly string[];
}

function send(run: Run, typeUrl: string, type: TypeState, { updates, removed, unresolved }: Changes): void {
  const nonce = String(run.state.nextNonce);
  const { basis } = type;
  const flight = {
    nonce,
    updates: updates.length === basis.size ? basis : new Map(updates.map((resource) => [resource.name, resource])),
    removed: unresolved.length === 0 ? removed : [...removed, ...unresolved],
  };
  const said = isFullState(type) ? wholeState(type, removed) : updates;
  run.state = { ...withType(run.state, typeUrl, sendOff(type, flight)), nextNonce: run.state.nextNonce + 1 };
  run.effects.push(
    type.dialect === "delta"
      ? { kind: "send", typeUrl, nonce, version: "", updates, removed, unresolved, basis }
      : { kind: "send", typeUrl, nonce, version: versionInfoOf(type, said), updates: said, removed: NO_NAMES },
  );
}

/** A cluster that changes warms until its endpoints arrive: known ones are sent again, new ones are waited for. */
function announceEndpoints(run: Run, before: TypeState, clusters: readonly EncodedResource[]): void {
  const endpoints = run.state.types.get(ENDPOINTS);
  if (endpoints === undefined && run.state.only === undefined)
    run.state = noteWarming(run.state, before.basis, clusters);
  if (endpoints === undefined && before.sentBasis === undefined) return;
  const names = endpointNamesOf(clusters);
  const isKnown = (name: string): boolean => endpoints?.subscription.names.has(name) === true;
  const known = names.filter(isKnown);
  if (endpoints !== undefined && known.length > 0) {
    const again = askAgain(endpoints, known);
    run.state = withType(run.state, ENDPOINTS, again);
    run.pending.set(ENDPOINTS, pendingOf(again));
  }
  // At its start a client asks for listeners only after its clusters are complete: nothing to wait for.
  if (before.sentBasis === undefined || names.length === known.length || run.state.only !== undefined) return;
  run.state = { ...run.state, awaited: new Set([...run.state.awaited, ...names.filter((name) => !isKnown(name))]) };
  run.effects.push({ kind: "wait" });
}

/** Sends what is to be removed of one kind; false while something before it is under way. */
function sendRemovals(run: Run, kind: ResourceKind): boolean {
  const isExamined = run.state.types.values().some(({ examined }) => examined.size > 0);
  if (isExamined || run.state.awaited.size > 0 || isMoving(run, ...run.state.types.keys())) return false;
  const { typeUrl } = resourceTypes[kind];
  const type = run.state.types.get(typeUrl);
  const removed = run.pending.get(typeUrl)?.removals ?? NO_NAMES;
  if (type === undefined || removed.length === 0) return true;
  send(run, typeUrl, type, { updates: NO_RESOURCES, removed, unresolved: NO_NAMES });
  run.pending.set(typeUrl, NOTHING_PENDING);
  return false;
}

/** A type with nothing to send and nothing on its way is what its basis is, but for contents that were rejected. */
function noteQuiet(
  before: StreamState,
  allPending: ReadonlyMap<string, Pending>,
  nowMs: number,
  effects: StreamEffect[],
): StreamState {
  let state = before;
  for (const typeUrl of state.types.keys()) {
    const type = state.types.get(typeUrl)!;
    if (type.ackedBasis === type.basis || type.flight !== undefined || type.examined.size > 0) continue;
    const { updates, absent, removals } = allPending.get(typeUrl) ?? NOTHING_PENDING;
    if (type.owesAnswer || updates.length + absent.length + removals.length > 0) continue;
    state = withType(state, typeUrl, { ...type, ackedBasis: type.basis, ackedAtMs: nowMs });
    if (type.kind !== undefined) effects.push({ kind: "settled", resourceKind: type.kind, basis: type.basis });
  }
  return state;
}
