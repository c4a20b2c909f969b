// What is known of one stream.
import type { EncodedResource } from "../../snapshot/encode.ts";
import { type ContentMaps, DELTA_ADS, type StreamEvent, type StreamKind } from "./stream-events.ts";
import type { TypeState } from "./type-state.ts";
import { TypeStates } from "./type-states.ts";

export interface StreamState extends StreamKind {
  readonly types: TypeStates;
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

/** The answer to a question. */
export type Told = Pick<Extract<StreamEvent, { kind: "told" }>, "typeUrl" | "resources">;

/** The state of a stream that has just been opened. Nothing is sent before the first `content`. */
export function newStreamState(kind: StreamKind = DELTA_ADS): StreamState {
  return {
    ...kind,
    types: TypeStates.empty,
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

/** The state with another one of a type. */
export function withType(state: StreamState, typeUrl: string, type: TypeState): StreamState {
  return { ...state, types: state.types.with(typeUrl, type) };
}
