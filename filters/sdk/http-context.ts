import { proxy_close_stream, proxy_continue_stream } from "./abi/imports";
import { note, Status } from "./abi/status";
import { RootContext } from "./root-context";

/** What a headers callback answers. */
export const enum FilterHeadersStatus {
  Continue = 0,
  /** Hold the stream here. Envoy 1.40 treats it as StopAllIterationAndWatermark unless the plugin sets allow_on_headers_stop_iteration. */
  StopIteration = 1,
  ContinueAndEndStream = 2,
  StopAllIterationAndBuffer = 3,
  StopAllIterationAndWatermark = 4,
}

/** What a body callback answers. */
export const enum FilterDataStatus {
  Continue = 0,
  StopIterationAndBuffer = 1,
  StopIterationAndWatermark = 2,
  StopIterationNoBuffer = 3,
}

/** What a trailers callback answers. */
export const enum FilterTrailersStatus {
  Continue = 0,
  StopIteration = 1,
}

/**
 * One HTTP stream. Override the callbacks the filter needs and export each of them from the module's index.ts.
 * Objects are recycled: when a stream ends the object serves a later one of the same root, so `onStart` must reset its fields.
 */
export abstract class HttpContext {
  /** The host's number of this stream, never used twice in a VM. */
  id: u32 = 0;
  /** The next object of the root's free list, while this one serves no stream. */
  nextFree: HttpContext | null = null;
  /** The root this object belongs to. Subclasses usually hold their own typed reference. */
  owner: RootContext | null = null;

  /** A stream begins: set every field of yours to its first value. No host call makes sense yet. */
  onStart(): void {}
  /** Request headers are there. `endOfStream`: no body follows. */
  onRequestHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    return FilterHeadersStatus.Continue;
  }
  /** A piece of the request's body is there (or all that was buffered): `readBuffer(BufferType.HttpRequestBody, 0, size)`. */
  onRequestBody(size: u32, endOfStream: bool): FilterDataStatus {
    return FilterDataStatus.Continue;
  }
  onRequestTrailers(trailers: u32): FilterTrailersStatus {
    return FilterTrailersStatus.Continue;
  }
  onResponseHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    return FilterHeadersStatus.Continue;
  }
  onResponseBody(size: u32, endOfStream: bool): FilterDataStatus {
    return FilterDataStatus.Continue;
  }
  onResponseTrailers(trailers: u32): FilterTrailersStatus {
    return FilterTrailersStatus.Continue;
  }
  /** The stream is over and can be counted: properties such as response.code are final. */
  onLog(): void {}
  /** The answer to an `httpCall` this stream made; 0 headers: the call failed. The stream is the effective context. */
  onHttpCallResponse(token: u32, headers: u32, bodySize: u32, trailers: u32): void {}
  /** The stream is gone; the object goes back to the free list. */
  onEnd(): void {}
}

/** Lets a held request go on (carried out when the callback ends). */
export function continueRequest(): Status {
  return note(proxy_continue_stream(0));
}

/** Lets a held response go on (carried out when the callback ends). */
export function continueResponse(): Status {
  return note(proxy_continue_stream(1));
}

/** Resets the stream. */
export function closeStream(): Status {
  note(proxy_close_stream(0));
  return note(proxy_close_stream(1));
}
