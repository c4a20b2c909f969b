import type { AttributeTree } from "./attributes.ts";
import type { BodyBuffer, StreamAccess } from "./context.ts";
import { HeaderMap } from "./header-map.ts";
import type { ReplyRequest } from "./local-reply.ts";
import { MapType } from "./status.ts";
import type { StreamSide } from "./stream-side.ts";

/** A stream as it is now. */
export interface StreamState {
  readonly requestHeaders: HeaderMap;
  responseHeaders: HeaderMap | undefined;
  readonly request: StreamSide;
  /** A new one from a local reply on. */
  response: StreamSide;
  /** Filter state the filter set: `wasm.<name>` → value. */
  readonly filterState: Map<string, Uint8Array>;
  isLogging: boolean;
  routeCacheCleared: number;
}

/** What a module may have a stream do. */
export interface StreamActions {
  attributeTrees(): AttributeTree[];
  reply(request: ReplyRequest): void;
  /** A held direction goes on, when the callback has ended. */
  resume(direction: "request" | "response"): void;
  /** The stream is closed, when the callback has ended. */
  reset(): void;
}

/** Returns what host calls see of a stream, always as it is at the moment of the call. */
export function streamAccess(state: StreamState, actions: StreamActions): StreamAccess {
  return {
    get requestMap() {
      return state.isLogging ? state.requestHeaders : state.request.map;
    },
    get requestTrailerMap() {
      return state.isLogging ? undefined : state.request.trailers;
    },
    get responseMap() {
      return state.isLogging ? state.responseHeaders : state.response.map;
    },
    get responseTrailerMap() {
      return state.response.trailers;
    },
    isHttp: true,
    changeable: (type) =>
      [state.request.map, state.request.trailers, state.response.map, state.response.trailers][type],
    createTrailers: (type) => createTrailers(type === MapType.RequestTrailers ? state.request : state.response),
    get requestBuffer(): BodyBuffer | undefined {
      return state.request.body.visible;
    },
    get responseBuffer(): BodyBuffer | undefined {
      return state.response.body.visible;
    },
    downstreamBuffer: undefined,
    upstreamBuffer: undefined,
    get isLogging() {
      return state.isLogging;
    },
    get attributeTrees() {
      return actions.attributeTrees();
    },
    filterState: state.filterState,
    headersModified: (map) => {
      if (map === MapType.RequestHeaders) state.routeCacheCleared++;
    },
    clearRouteCache: () => {
      state.routeCacheCleared++;
    },
    sendLocalReply: actions.reply,
    continueStream: (type) => actions.resume(type === 0 ? "request" : "response"),
    closeStream: actions.reset,
  };
}

/** At the end of a body a filter may add trailers where there are none. */
function createTrailers(side: StreamSide): HeaderMap | undefined {
  if (!side.isEnding) return undefined;
  side.trailers ??= new HeaderMap([], "trailers");
  side.sentTrailers = side.trailers;
  return side.trailers;
}
