// consumes: requests of one stream (delta or state of the world, of all types or of one), new content, pressure of its
// socket
// produces: the next state and effects (send, accepted, refused, examine, ask, wait, settled, close)
// never does: I/O, clocks, encoding; the same events give the same effects
import type { EncodedMap, EncodedResource } from "../snapshot/encode.ts";
import type { ResourceKind } from "../snapshot/resources.ts";
import { kindOf, resourceKinds, resourceTypes } from "../snapshot/type-urls.ts";
import { contentsOf } from "../snapshot/whole-maps.ts";
import { versionOf, wholeState } from "./full-state.ts";
import { accept, hasUpdates, judge, type Pending, pendingOf, reject, sendOff, settle } from "./pending.ts";
import { excessOf, problemOf, shortReason } from "./request-limits.ts";
import {
  type ContentMaps,
  DELTA_ADS,
  isQuestion,
  type StreamEffect,
  type StreamEvent,
  type StreamKind,
  type StreamRequest,
} from "./stream-events.ts";
import { changeSubscription, replaceSubscription } from "./subscription.ts";
import { askAgain, changeBasis, changeScope, isFullState, newTypeState, type TypeState } from "./type-state.ts";
import { TypeTable } from "./type-table.ts";

export interface StreamState extends StreamKind {
  readonly types: TypeTable;
  readonly content: ContentMaps | undefined;
  readonly nextNonce: number;
  readonly isFull: boolean;
  /** Endpoints of clusters just sent that the client has yet to ask for: what refers to those clusters waits. */
  readonly awaited: ReadonlySet<string>;
  /** Clusters that were sent before any endpoints were asked for. */
  readonly warming: readonly (readonly EncodedResource[])[];
  /**
   * Of questions: the nonce of the last answer, by type URL; how many are not answered yet; and answers for which the
   * socket has no room.
   */
  readonly told: ReadonlyMap<string, string>;
  readonly asking: number;
  readonly answers: readonly Told[];
}

export interface Step {
  readonly state: StreamState;
  readonly effects: readonly StreamEffect[];
}

const NO_MAP: EncodedMap = new Map();
const CLUSTERS = resourceTypes.clusters.typeUrl;
const ENDPOINTS = resourceTypes.endpoints.typeUrl;
const ROUTES = resourceTypes.routes.typeUrl;
const VIRTUAL_HOSTS = resourceTypes.virtualHosts.typeUrl;

/** The state of a stream that has just been opened. Nothing is sent before the first `content`. */
export function newStreamState(kind: StreamKind = DELTA_ADS): StreamState {
  return {
    ...kind,
    types: TypeTable.empty,
    content: undefined,
    nextNonce: 1,
    isFull: false,
    awaited: new Set(),
    warming: [],
    told: new Map(),
    asking: 0,
    answers: [],
  };
}

/** What an event does to a stream. */
export function step(state: StreamState, event: StreamEvent): Step {
  const effects: StreamEffect[] = [];
  const changed = answer(applyEvent(state, event, effects), effects);
  return { state: emit(changed, event.nowMs, effects), effects };
}

function applyEvent(state: StreamState, event: StreamEvent, effects: StreamEffect[]): StreamState {
  switch (event.kind) {
    case "request":
      return applyRequest(state, event.request, event.nowMs, effects);
    case "content":
      return applyContent(state, event.maps);
    case "pressure":
      return { ...state, isFull: event.isFull };
    case "waited":
      return { ...state, awaited: new Set() };
    case "verdict":
      return applyVerdict(state, event, effects);
    case "told":
      return { ...state, asking: state.asking - 1, answers: [...state.answers, event] };
    case "warming":
      return warm(state, event.clusters);
  }
}

function applyVerdict(
  state: StreamState,
  { typeUrl, verdict, reason }: Extract<StreamEvent, { kind: "verdict" }>,
  effects: StreamEffect[],
): StreamState {
  const type = state.types.get(typeUrl);
  if (type === undefined) return state;
  for (const resource of verdict.culprits) effects.push({ kind: "refused", resource, reason });
  return withType(state, typeUrl, judge(type, verdict));
}

type Told = Pick<Extract<StreamEvent, { kind: "told" }>, "typeUrl" | "resources">;

/** Gives one answer, if there is room: when that has left there is room for the next. */
function answer(state: StreamState, effects: StreamEffect[]): StreamState {
  const [first, ...answers] = state.answers;
  if (first === undefined || state.isFull) return state;
  const nonce = String(state.nextNonce);
  effects.push({ kind: "send", typeUrl: first.typeUrl, nonce, version: nonce, updates: first.resources, removed: [] });
  return { ...state, nextNonce: state.nextNonce + 1, told: new Map(state.told).set(first.typeUrl, nonce), answers };
}

function applyContent(state: StreamState, maps: ContentMaps): StreamState {
  return {
    ...state,
    types: state.types.map((type) => (type.kind === undefined ? type : changeBasis(type, maps[type.kind]))),
    content: maps,
  };
}

function applyRequest(state: StreamState, request: StreamRequest, nowMs: number, effects: StreamEffect[]): StreamState {
  const typeUrl = request.typeUrl === "" ? (state.only ?? "") : request.typeUrl;
  const known = state.types.get(typeUrl);
  const problem = problemOf(state, { ...request, typeUrl });
  if (problem !== undefined) {
    effects.push({ kind: "close", message: problem });
    return state;
  }
  if (isQuestion(typeUrl)) return applyQuestion(state, typeUrl, request, effects);
  // In delta a request without a nonce is a change of subscription; of the state of the world its list of names may be
  // as old as the nonce.
  if (
    known !== undefined &&
    request.nonce !== known.lastNonce &&
    (request.dialect === "sotw" || request.nonce !== "")
  ) {
    effects.push({ kind: "stale", typeUrl });
    if (request.dialect === "sotw") return state;
  }
  const answered = applyAnswer(known ?? openType(state, typeUrl), { ...request, typeUrl }, nowMs, effects);
  const isFirstOfEndpoints = known === undefined && typeUrl === ENDPOINTS;
  const subscribed = subscribe(
    state,
    answered,
    isFirstOfEndpoints ? withoutWarming(request, state.warming) : request,
    known === undefined,
  );
  const excess = excessOf(subscribed, answered);
  if (excess !== undefined) {
    effects.push({ kind: "close", message: excess });
    return state;
  }
  const next = withType(isFirstOfEndpoints ? { ...state, warming: [] } : state, typeUrl, subscribed);
  if (typeUrl === ROUTES) return followRoutes(next, request.dialect === "delta" ? request.subscribe : request.names);
  if (typeUrl === ENDPOINTS && next.awaited.size > 0)
    return { ...next, awaited: new Set([...next.awaited].filter((name) => !subscribed.subscription.names.has(name))) };
  return next;
}

/**
 * Each request is answered once; one with the nonce of an answer only says that it arrived. istioctl's first request
 * has the time as its nonce, which is of no answer.
 */
function applyQuestion(
  state: StreamState,
  typeUrl: string,
  request: StreamRequest,
  effects: StreamEffect[],
): StreamState {
  if (isOfThisStream(request.nonce, state) || request.error !== undefined) return state;
  effects.push({ kind: "ask", typeUrl, names: request.dialect === "delta" ? request.subscribe : request.names });
  const told = state.told.has(typeUrl) ? state.told : new Map(state.told).set(typeUrl, "");
  return { ...state, told, asking: state.asking + 1 };
}

function isOfThisStream(nonce: string, { nextNonce }: StreamState): boolean {
  const given = Number(nonce);
  return Number.isInteger(given) && given > 0 && given < nextNonce;
}

/**
 * A client that comes back has endpoints, but not for the clusters that changed meanwhile: these warm until theirs are
 * sent, whatever it says it has.
 */
function withoutWarming(request: StreamRequest, warming: StreamState["warming"]): StreamRequest {
  const versions = request.dialect === "delta" ? Object.entries(request.initialVersions) : [];
  if (request.dialect !== "delta" || versions.length === 0) return request;
  const names = new Set(endpointsOf(warming.flat()));
  return { ...request, initialVersions: Object.fromEntries(versions.filter(([name]) => !names.has(name))) };
}

/**
 * Endpoints of clusters that came on another stream: this one cannot know when, so they are sent when the client has
 * said that it took the clusters.
 */
function warm(state: StreamState, clusters: readonly EncodedResource[]): StreamState {
  const endpoints = state.types.get(ENDPOINTS);
  if (endpoints === undefined)
    return { ...state, warming: [...stillIn(state.content?.clusters ?? NO_MAP, state.warming), clusters] };
  return withType(state, ENDPOINTS, askAgain(endpoints, endpointsOf(clusters)));
}

function endpointsOf(clusters: readonly EncodedResource[]): string[] {
  return clusters.flatMap(({ references }) =>
    references.filter(({ kind }) => kind === "endpoints").map(({ name }) => name),
  );
}

/** A client that never asks for endpoints has what changed since on no list. */
function stillIn(basis: EncodedMap, warming: StreamState["warming"]): StreamState["warming"] {
  return warming
    .map((clusters) => clusters.filter((cluster) => basis.get(cluster.name) === cluster))
    .filter(({ length }) => length > 0);
}

function subscribe(state: StreamState, type: TypeState, request: StreamRequest, isFirst: boolean): TypeState {
  if (request.dialect === "delta") return changeSubscription(type, { ...request, isFirst });
  return replaceSubscription(type, {
    names: request.names,
    version: request.version,
    isFirst,
    hasContent: state.content !== undefined,
  });
}

function openType(state: StreamState, typeUrl: string): TypeState {
  const served = kindOf(typeUrl);
  // Virtual hosts of their own exist in the delta dialect only.
  const isServed =
    served !== undefined && !state.without.includes(served) && !(served === "virtualHosts" && state.dialect === "sotw");
  const kind = isServed ? served : undefined;
  const type = newTypeState(kind, state.dialect, kind === undefined ? NO_MAP : (state.content?.[kind] ?? NO_MAP));
  return kind === "virtualHosts" && state.only === undefined
    ? { ...type, scope: state.types.get(ROUTES)?.subscription.names ?? new Set() }
    : type;
}

/** An answer counts only for what is on its way; in delta a stale nonce is a plain change of subscription. */
function applyAnswer(type: TypeState, request: StreamRequest, nowMs: number, effects: StreamEffect[]): TypeState {
  const { flight } = type;
  if (flight === undefined || request.nonce !== flight.nonce) return type;
  if (request.error === undefined) {
    effects.push({ kind: "accepted", resources: contentsOf(flight.updates) });
    return accept(type);
  }
  const { typeUrl } = request;
  const reason = shortReason(request.error);
  effects.push({ kind: "rejected", typeUrl, reason });
  const { state, refusals, unclear } = reject(type, reason, nowMs);
  for (const refusal of refusals) effects.push({ kind: "refused", ...refusal });
  if (unclear.length > 0) effects.push({ kind: "examine", typeUrl, resources: unclear, reason });
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
  return { ...state, types: state.types.with(typeUrl, type) };
}

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

function emit(state: StreamState, nowMs: number, effects: StreamEffect[]): StreamState {
  if (state.content === undefined || state.isFull) return state;
  // Most events are acknowledgements, and room in a socket: then there is nothing to look for.
  if (!hasWork(state)) return noteQuiet({ state, pending: NONE_PENDING }, nowMs, effects);
  const run = { state, pending: new Map<string, Pending>() };
  for (const typeUrl of state.types.keys()) lookAt(run, typeUrl, state.types.get(typeUrl)!);
  for (const kind of resourceKinds) sendUpdates(run, resourceTypes[kind].typeUrl, effects);
  for (const typeUrl of state.types.keys()) if (kindOf(typeUrl) === undefined) sendUpdates(run, typeUrl, effects);
  for (const kind of REMOVAL_ORDER) if (!sendRemovals(run, kind, effects)) break;
  return noteQuiet(run, nowMs, effects);
}

function hasWork(state: StreamState): boolean {
  for (const { dirty, owesAnswer, suspects } of state.types.values())
    if (dirty.size > 0 || owesAnswer || suspects.length > 0) return true;
  return false;
}

interface Run {
  state: StreamState;
  readonly pending: Map<string, Pending>;
}
const NONE_PENDING: ReadonlyMap<string, Pending> = new Map();

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
  const isUnresolved = (name: string): boolean => type.kind === "virtualHosts" && type.subscription.names.has(name);
  send(
    run,
    typeUrl,
    type,
    pending.updates,
    pending.absent.filter((name) => !isUnresolved(name)),
    effects,
    pending.absent.filter(isUnresolved),
  );
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

function send(
  run: Run,
  typeUrl: string,
  type: TypeState,
  updates: readonly EncodedResource[],
  removed: readonly string[],
  effects: StreamEffect[],
  unresolved: readonly string[] = [],
): void {
  const nonce = String(run.state.nextNonce);
  const { basis } = type;
  const flight = {
    nonce,
    updates: updates.length === basis.size ? basis : new Map(updates.map((resource) => [resource.name, resource])),
    removed: [...removed, ...unresolved],
  };
  const said = isFullState(type) ? wholeState(type, removed) : updates;
  run.state = { ...withType(run.state, typeUrl, sendOff(type, flight)), nextNonce: run.state.nextNonce + 1 };
  run.pending.set(typeUrl, { updates: [], absent: [], removals: run.pending.get(typeUrl)!.removals, settled: [] });
  if (type.dialect === "delta")
    effects.push({
      kind: "send",
      typeUrl,
      nonce,
      version: "",
      updates,
      removed,
      ...(unresolved.length > 0 && { unresolved }),
      basis,
    });
  else
    effects.push({
      kind: "send",
      typeUrl,
      nonce,
      version: versionOf(type, said as readonly EncodedResource[]),
      updates: said,
      removed: [],
    });
}

/** A cluster that changes warms until its endpoints arrive: known ones are sent again, new ones are waited for. */
function announceEndpoints(
  run: Run,
  before: TypeState,
  clusters: readonly EncodedResource[],
  effects: StreamEffect[],
): void {
  const endpoints = run.state.types.get(ENDPOINTS);
  if (endpoints === undefined && run.state.only === undefined)
    run.state = { ...run.state, warming: [...stillIn(before.basis, run.state.warming), clusters] };
  if (endpoints === undefined && before.sentBasis === undefined) return;
  const names = endpointsOf(clusters);
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
  effects.push({ kind: "wait" });
}

/** Sends what is to be removed of one kind; false while something before it is under way. */
function sendRemovals(run: Run, kind: ResourceKind, effects: StreamEffect[]): boolean {
  const isExamined = run.state.types.values().some(({ examined }) => examined.size > 0);
  if (isExamined || run.state.awaited.size > 0 || isMoving(run, ...run.state.types.keys())) return false;
  const { typeUrl } = resourceTypes[kind];
  const type = run.state.types.get(typeUrl);
  const removals = run.pending.get(typeUrl)?.removals ?? [];
  if (type === undefined || removals.length === 0) return true;
  send(run, typeUrl, type, [], removals, effects);
  run.pending.set(typeUrl, { updates: [], absent: [], removals: [], settled: [] });
  return false;
}

/** A type with nothing to send and nothing on its way is what its basis is, but for contents that were refused. */
function noteQuiet(
  {
    state: before,
    pending: allPending,
  }: { readonly state: StreamState; readonly pending: ReadonlyMap<string, Pending> },
  nowMs: number,
  effects: StreamEffect[],
): StreamState {
  let state = before;
  for (const typeUrl of state.types.keys()) {
    const type = state.types.get(typeUrl)!;
    if (type.ackedBasis === type.basis || type.flight !== undefined || type.examined.size > 0) continue;
    const pending = allPending.get(typeUrl);
    if (
      type.owesAnswer ||
      (pending !== undefined && pending.updates.length + pending.absent.length + pending.removals.length > 0)
    )
      continue;
    state = withType(state, typeUrl, { ...type, ackedBasis: type.basis, ackedAtMs: nowMs });
    if (type.kind !== undefined) effects.push({ kind: "settled", resourceKind: type.kind, basis: type.basis });
  }
  return state;
}
