// consumes: requests of one stream (delta or state of the world, of all types or of one), new content, pressure of its
// socket
// produces: the next state and effects (send, accepted, rejected, culprit, examine, ask, wait, settled, close)
// never does: I/O, clocks, encoding; the same events give the same effects
import { noteExamined, offerAgain } from "../rejections/nack.ts";
import { giveAnswer } from "./questions.ts";
import { applyRequest } from "./requests.ts";
import { sendWhatIsDue } from "./responses.ts";
import type { ContentMaps, StreamEffect, StreamEvent } from "./stream-events.ts";
import { type StreamState, withType } from "./stream-state.ts";
import { changeBasis } from "./type-state.ts";
import { warm } from "./warming.ts";

export interface Step {
  readonly state: StreamState;
  readonly effects: readonly StreamEffect[];
}

/** What an event does to a stream. */
export function step(state: StreamState, event: StreamEvent): Step {
  const effects: StreamEffect[] = [];
  const changed = giveAnswer(applyEvent(state, event, effects), effects);
  return { state: sendWhatIsDue(changed, event.nowMs, effects), effects };
}

function applyEvent(state: StreamState, event: StreamEvent, effects: StreamEffect[]): StreamState {
  switch (event.kind) {
    case "request":
      return applyRequest(state, event.request, event.nowMs, effects);
    case "content":
      return applyContent(state, event.maps);
    case "pressure":
      return { ...state, isFull: event.isFull };
    case "again":
      return { ...state, types: state.types.map(offerAgain) };
    case "waited":
      return { ...state, awaited: new Set() };
    case "examined":
      return applyExamined(state, event, effects);
    case "told":
      return { ...state, asking: state.asking - 1, answers: [...state.answers, event] };
    case "warming":
      return warm(state, event.clusters);
  }
}

function applyContent(state: StreamState, maps: ContentMaps): StreamState {
  return {
    ...state,
    types: state.types.map((type) => (type.kind === undefined ? type : changeBasis(type, maps[type.kind]))),
    content: maps,
  };
}

function applyExamined(
  state: StreamState,
  { typeUrl, examination, reason }: Extract<StreamEvent, { kind: "examined" }>,
  effects: StreamEffect[],
): StreamState {
  const type = state.types.get(typeUrl);
  if (type === undefined) return state;
  for (const resource of examination.culprits) effects.push({ kind: "culprit", resource, reason });
  return withType(state, typeUrl, noteExamined(type, examination));
}
