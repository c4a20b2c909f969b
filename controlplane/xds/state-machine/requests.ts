// What a request does to a stream: it answers what was sent, and changes what its client wants.
import type { EncodedMap } from "../../snapshot/encode.ts";
import { kindOf, resourceTypes } from "../../snapshot/type-urls.ts";
import { contentsOf } from "../../snapshot/whole-maps.ts";
import { reject } from "../rejections/nack.ts";
import { accept } from "./pending.ts";
import { applyQuestion } from "./questions.ts";
import { excessOf, problemOf, shortReason } from "./request-limits.ts";
import { isQuestion, type StreamEffect, type StreamRequest } from "./stream-events.ts";
import { type StreamState, withType } from "./stream-state.ts";
import { changeSubscription, replaceSubscription } from "./subscription.ts";
import { changeScope, newTypeState, type TypeState } from "./type-state.ts";
import { withoutWarming } from "./warming.ts";

const NOTHING: EncodedMap = new Map();
const ENDPOINTS = resourceTypes.endpoints.typeUrl;
const ROUTES = resourceTypes.routes.typeUrl;
const VIRTUAL_HOSTS = resourceTypes.virtualHosts.typeUrl;

/** The stream's state after a request, without what is to be sent for it. */
export function applyRequest(
  state: StreamState,
  request: StreamRequest,
  nowMs: number,
  effects: StreamEffect[],
): StreamState {
  const typeUrl = request.typeUrl === "" ? (state.only ?? "") : request.typeUrl;
  const problem = problemOf(state, { ...request, typeUrl });
  if (problem !== undefined) {
    effects.push({ kind: "close", message: problem });
    return state;
  }
  if (isQuestion(typeUrl)) return applyQuestion(state, typeUrl, request, effects);
  const known = state.types.get(typeUrl);
  if (known !== undefined && isStale(request, known)) {
    effects.push({ kind: "stale", typeUrl });
    if (request.dialect === "sotw") return state;
  }
  const answered = applyAnswer(known ?? openType(state, typeUrl), { ...request, typeUrl }, nowMs, effects);
  const isFirst = known === undefined;
  const isFirstOfEndpoints = isFirst && typeUrl === ENDPOINTS;
  const asked = isFirstOfEndpoints ? withoutWarming(request, state.warming) : request;
  const subscribed = subscribe(state, answered, asked, isFirst);
  const excess = excessOf(subscribed, answered);
  if (excess !== undefined) {
    effects.push({ kind: "close", message: excess });
    return state;
  }
  const next = withType(isFirstOfEndpoints ? { ...state, warming: [] } : state, typeUrl, subscribed);
  return followNames(next, typeUrl, subscribed, request);
}

/**
 * In delta a request without a nonce is a change of subscription; of the state of the world its list of names may be as
 * old as the nonce.
 */
function isStale({ nonce, dialect }: StreamRequest, { lastNonce }: TypeState): boolean {
  return nonce !== lastNonce && (dialect === "sotw" || nonce !== "");
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
  const type = newTypeState(kind, state.dialect, kind === undefined ? NOTHING : (state.content?.[kind] ?? NOTHING));
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
  const isKnown = [...flight.updates.values()].every(
    ({ name, version }) => type.rejected.get(name)?.version === version && type.rejected.get(name)?.reason === reason,
  );
  effects.push({ kind: "rejected", typeUrl, reason, isKnown });
  const { state, culprits, unclear } = reject(type, reason, nowMs);
  for (const resource of culprits) effects.push({ kind: "culprit", resource, reason });
  if (unclear.length > 0) effects.push({ kind: "examine", typeUrl, resources: unclear, reason });
  return state;
}

/** What the names of one type mean for others, or for what waits for them. */
function followNames(
  state: StreamState,
  typeUrl: string,
  { subscription }: TypeState,
  request: StreamRequest,
): StreamState {
  if (typeUrl === ROUTES) return followRoutes(state, request.dialect === "delta" ? request.subscribe : request.names);
  if (typeUrl !== ENDPOINTS || state.awaited.size === 0) return state;
  return { ...state, awaited: new Set([...state.awaited].filter((name) => !subscription.names.has(name))) };
}

/** VHDS requests name nothing: its scope is the route configurations that the stream asked for. */
function followRoutes(state: StreamState, again: readonly string[]): StreamState {
  const hosts = state.types.get(VIRTUAL_HOSTS);
  const routes = state.types.get(ROUTES);
  if (hosts === undefined || routes === undefined) return state;
  return withType(state, VIRTUAL_HOSTS, changeScope(hosts, routes.subscription.names, again));
}
