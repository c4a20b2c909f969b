// Questions about the control plane itself (istio.io/debug and the like), which have answers instead of a subscription.
import type { StreamEffect, StreamRequest } from "./stream-events.ts";
import type { StreamState } from "./stream-state.ts";

/**
 * Each request is answered once; one with the nonce of an answer only says that it arrived. istioctl's first request
 * has the time as its nonce, which is of no answer.
 */
export function applyQuestion(
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

/** Gives one answer, if there is room: when that has left there is room for the next. */
export function giveAnswer(state: StreamState, effects: StreamEffect[]): StreamState {
  const [first, ...answers] = state.answers;
  if (first === undefined || state.isFull) return state;
  const nonce = String(state.nextNonce);
  effects.push({ kind: "send", typeUrl: first.typeUrl, nonce, version: nonce, updates: first.resources, removed: [] });
  return { ...state, nextNonce: state.nextNonce + 1, told: new Map(state.told).set(first.typeUrl, nonce), answers };
}
