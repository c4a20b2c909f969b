// consumes: requests of one delta ADS stream, new content, pressure of its socket
// produces: the next state and effects (send, accepted, refused, wait, close)
// never does: I/O, clocks, encoding; the same events give the same effects
import type { EncodedMap, EncodedResource } from "../snapshot/encode.ts";
import type { ResourceKind } from "../snapshot/resources.ts";
import { kindOf, resourceKinds, resourceTypes } from "../snapshot/type-urls.ts";
import { accept, hasUpdates, type Pending, pendingOf, reject, sendOff, settle } from "./pending.ts";
import { askAgain, changeBasis, changeScope, changeSubscription, newTypeState, type TypeState } from "./type-state.ts";

export type ContentMaps = Readonly<Record<ResourceKind, EncodedMap>>;

/** A DeltaDiscoveryRequest with everything present. */
export interface StreamRequest {
  readonly typeUrl: string;
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  readonly initialVersions: Readonly<Record<string, string>>;
  readonly nonce: string;
  /** Set in a NACK. */
  readonly error: string | undefined;
}

export type StreamEvent =
  | { readonly kind: "request"; readonly request: StreamRequest; readonly nowMs: number }
  | { readonly kind: "content"; readonly maps: ContentMaps; readonly nowMs: number }
  /** The socket's buffer is full, or has room again. */
  | { readonly kind: "pressure"; readonly isFull: boolean; readonly nowMs: number }
  /** The time after a `wait` effect is over. */
  | { readonly kind: "waited"; readonly nowMs: number };

export interface SendEffect { readonly kind: "send"; readonly typeUrl: string; readonly nonce: string; readonly updates: readonly EncodedResource[]; readonly removed: readonly string[] }

export type StreamEffect =
  | SendEffect
  /** The client holds these now. */
  | { readonly kind: "accepted"; readonly resources: Iterable<EncodedResource> }
  /** The client rejected this content, and no other can be to blame. */
  | { readonly kind: "refused"; readonly resource: EncodedResource; readonly reason: string }
  /** The client rejected something; for the log, as it said it. */
  | { readonly kind: "rejected"; readonly typeUrl: string; readonly reason: string }
  /** Give a `waited` event some seconds from now: a cluster's endpoints have not been asked for yet. */
  | { readonly kind: "wait" }
  | { readonly kind: "close"; readonly message: string };

export interface StreamState {
  readonly types: ReadonlyMap<string, TypeState>;
  readonly content: ContentMaps | undefined;
  readonly nextNonce: number;
  readonly isFull: boolean;
  /** Endpoints of clusters just sent that the client has yet to ask for: what refers to those clusters waits. */
  readonly awaited: ReadonlySet<string>;
}

export interface Step { readonly state: StreamState; readonly effects: readonly StreamEffect[] }

const NO_MAP: EncodedMap = new Map();
/** Types of ours, and some room for what else a client may ask (istio.io/debug, …). */
const MAX_TYPES = 32;
const CLUSTERS = resourceTypes.clusters.typeUrl;
const ENDPOINTS = resourceTypes.endpoints.typeUrl;
const ROUTES = resourceTypes.routes.typeUrl;
const VIRTUAL_HOSTS = resourceTypes.virtualHosts.typeUrl;

/** The state of a stream that has just been opened. Nothing is sent before the first `content`. */
export function newStreamState(): StreamState {
  return { types: new Map(), content: undefined, nextNonce: 1, isFull: false, awaited: new Set() };
}

/** What an event does to a stream. */
export function step(state: StreamState, event: StreamEvent): Step {
  const effects: StreamEffect[] = [];
  const changed = applyEvent(state, event, effects);
  return { state: emit(changed, event.nowMs, effects), effects };
}

function applyEvent(state: StreamState, event: StreamEvent, effects: StreamEffect[]): StreamState {
  switch (event.kind) {
    case "request": return applyRequest(state, event.request, event.nowMs, effects);
    case "content": return applyContent(state, event.maps);
    case "pressure": return { ...state, isFull: event.isFull };
    case "waited": return { ...state, awaited: new Set() };
  }
}

function applyContent(state: StreamState, maps: ContentMaps): StreamState {
  const types = new Map([...state.types].map(([typeUrl, type]) => [typeUrl, type.kind === undefined ? type : changeBasis(type, maps[type.kind])]));
  return { ...state, types, content: maps };
}

function applyRequest(state: StreamState, request: StreamRequest, nowMs: number, effects: StreamEffect[]): StreamState {
  const { typeUrl } = request;
  const known = state.types.get(typeUrl);
  const problem = typeUrl === "" ? "an ADS request needs a type URL" : known === undefined && state.types.size >= MAX_TYPES ? "too many resource types" : undefined;
  if (problem !== undefined) {
    effects.push({ kind: "close", message: problem });
    return state;
  }
  const answered = applyAnswer(known ?? openType(state, typeUrl), request, nowMs, effects);
  const subscribed = changeSubscription(answered, { ...request, isFirst: known === undefined });
  const next = withType(state, typeUrl, subscribed);
  if (typeUrl === ROUTES) return followRoutes(next, request.subscribe);
  if (typeUrl === ENDPOINTS && next.awaited.size > 0) return { ...next, awaited: new Set([...next.awaited].filter((name) => !subscribed.subscription.names.has(name))) };
  return next;
}

function openType(state: StreamState, typeUrl: string): TypeState {
  const kind = kindOf(typeUrl);
  const type = newTypeState(kind, kind === undefined ? NO_MAP : (state.content?.[kind] ?? NO_MAP));
  return kind === "virtualHosts" ? { ...type, scope: state.types.get(ROUTES)?.subscription.names ?? new Set() } : type;
}

/** An answer counts only for what is on its way; a stale nonce is a plain change of subscription. */
function applyAnswer(type: TypeState, request: StreamRequest, nowMs: number, effects: StreamEffect[]): TypeState {
  const { flight } = type;
  if (flight === undefined || request.nonce !== flight.nonce) return type;
  if (request.error === undefined) {
    effects.push({ kind: "accepted", resources: flight.updates.values() });
    return accept(type);
  }
  effects.push({ kind: "rejected", typeUrl: request.typeUrl, reason: request.error });
  const { state, refusals } = reject(type, request.error, nowMs);
  for (const refusal of refusals) effects.push({ kind: "refused", ...refusal });
  return state;
}

/** VHDS requests name nothing: its scope is the route configurations that the stream asked for. */
function followRoutes(state: StreamState, again: readonly string[]): StreamState {
  const hosts = state.types.get(VIRTUAL_HOSTS);
  const routes = state.types.get(ROUTES);
  if (hosts === undefined || routes === undefined) return state;
  return withType(state, VIRTUAL_HOSTS, changeScope(hosts, routes.subscription.names, again));
}

function withType(state: StreamState, typeUrl: string, type: TypeState): StreamState {
  return { ...state, types: new Map(state.types).set(typeUrl, type) };
}

/** Removals go last and the other way round: routes leave before the clusters they named. */
const REMOVAL_ORDER: readonly ResourceKind[] = ["listeners", "virtualHosts", "routes", "extensionConfigs", "secrets", "clusters", "endpoints"];
/** What refers to clusters waits until these and their endpoints have arrived. */
const AFTER_CLUSTERS: ReadonlySet<ResourceKind> = new Set(["listeners", "routes", "virtualHosts"]);

function emit(state: StreamState, nowMs: number, effects: StreamEffect[]): StreamState {
  if (state.content === undefined || state.isFull) return state;
  const run = { state, pending: new Map<string, Pending>() };
  for (const [typeUrl, type] of state.types) lookAt(run, typeUrl, type);
  for (const kind of resourceKinds) sendUpdates(run, resourceTypes[kind].typeUrl, effects);
  for (const [typeUrl, type] of run.state.types) if (type.kind === undefined) sendUpdates(run, typeUrl, effects);
  for (const kind of REMOVAL_ORDER) if (!sendRemovals(run, kind, effects)) break;
  return noteQuiet(run, nowMs);
}

interface Run { state: StreamState; readonly pending: Map<string, Pending> }

function lookAt(run: Run, typeUrl: string, type: TypeState): void {
  const pending = pendingOf(type);
  const settled = settle(type, pending);
  if (settled !== type) run.state = withType(run.state, typeUrl, settled);
  run.pending.set(typeUrl, settled.suspects === type.suspects ? pending : pendingOf(settled));
}

function sendUpdates(run: Run, typeUrl: string, effects: StreamEffect[]): void {
  const type = run.state.types.get(typeUrl);
  const pending = run.pending.get(typeUrl);
  if (type === undefined || pending === undefined || type.flight !== undefined || !hasUpdates(pending, type)) return;
  if (type.kind !== undefined && AFTER_CLUSTERS.has(type.kind) && isMoving(run, CLUSTERS, ENDPOINTS)) return;
  if (type.kind === "virtualHosts" && isMoving(run, ROUTES)) return;
  send(run, typeUrl, type, pending.updates, pending.absent, effects);
  if (typeUrl === CLUSTERS) announceEndpoints(run, type, pending.updates, effects);
}

/** Whether something of these types is on its way, or could be sent. */
function isMoving(run: Run, ...typeUrls: readonly string[]): boolean {
  if (typeUrls.includes(ENDPOINTS) && run.state.awaited.size > 0) return true;
  return typeUrls.some((typeUrl) => {
    const type = run.state.types.get(typeUrl);
    return type !== undefined && (type.flight !== undefined || hasUpdates(run.pending.get(typeUrl)!, type));
  });
}

function send(run: Run, typeUrl: string, type: TypeState, updates: readonly EncodedResource[], removed: readonly string[], effects: StreamEffect[]): void {
  const nonce = String(run.state.nextNonce);
  const flight = { nonce, updates: new Map(updates.map((resource) => [resource.name, resource])), removed };
  run.state = { ...withType(run.state, typeUrl, sendOff(type, flight)), nextNonce: run.state.nextNonce + 1 };
  run.pending.set(typeUrl, { updates: [], absent: [], removals: run.pending.get(typeUrl)!.removals, settled: [] });
  effects.push({ kind: "send", typeUrl, nonce, updates, removed });
}

/** A cluster that changes warms until its endpoints arrive: known ones are sent again, new ones are waited for. */
function announceEndpoints(run: Run, before: TypeState, clusters: readonly EncodedResource[], effects: StreamEffect[]): void {
  const endpoints = run.state.types.get(ENDPOINTS);
  const names = clusters.flatMap(({ references }) => references.filter(({ kind }) => kind === "endpoints").map(({ name }) => name));
  const known = names.filter((name) => endpoints?.subscription.names.has(name));
  if (endpoints !== undefined && known.length > 0) {
    const again = askAgain(endpoints, known);
    run.state = withType(run.state, ENDPOINTS, again);
    run.pending.set(ENDPOINTS, pendingOf(again));
  }
  // At its start a client asks for listeners only after its clusters are complete: nothing to wait for.
  if (before.sentBasis === undefined || names.length === known.length) return;
  run.state = { ...run.state, awaited: new Set([...run.state.awaited, ...names.filter((name) => !known.includes(name))]) };
  effects.push({ kind: "wait" });
}

/** Sends what is to be removed of one kind; false while something before it is under way. */
function sendRemovals(run: Run, kind: ResourceKind, effects: StreamEffect[]): boolean {
  if (run.state.awaited.size > 0 || isMoving(run, ...run.state.types.keys())) return false;
  const { typeUrl } = resourceTypes[kind];
  const type = run.state.types.get(typeUrl);
  const removals = run.pending.get(typeUrl)?.removals ?? [];
  if (type === undefined || removals.length === 0) return true;
  send(run, typeUrl, type, [], removals, effects);
  run.pending.set(typeUrl, { updates: [], absent: [], removals: [], settled: [] });
  return false;
}

/** A type with nothing to send and nothing on its way is what its basis is, but for contents that were refused. */
function noteQuiet(run: Run, nowMs: number): StreamState {
  let { state } = run;
  for (const [typeUrl, type] of state.types) {
    if (type.ackedBasis === type.basis || type.flight !== undefined) continue;
    const { updates, absent, removals } = run.pending.get(typeUrl)!;
    if (updates.length + absent.length + removals.length === 0 && !type.owesAnswer) state = withType(state, typeUrl, { ...type, ackedBasis: type.basis, ackedAtMs: nowMs });
  }
  return state;
}
