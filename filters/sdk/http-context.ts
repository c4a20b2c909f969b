import { proxy_close_stream, proxy_continue_stream } from "./abi/imports";
import { note, Status } from "./abi/status";
import { StreamContext } from "./stream-context";

/** What a headers callback answers. */
export const enum FilterHeadersStatus {
  Continue = 0,
  /**
   * Hold the stream here. Envoy 1.40 treats it as StopAllIterationAndWatermark unless the plugin sets
   * allow_on_headers_stop_iteration.
   */
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
 * Objects are recycled: when a stream ends the object serves a later one of the same root, so `onStart` must reset its
 * fields.
 */
export abstract class HttpContext extends StreamContext {
  /** Request headers are there. `endOfStream`: no body follows. */
  onRequestHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    return FilterHeadersStatus.Continue;
  }
  /**
   * A piece of the request's body is there (or all that was buffered):
   * `readBuffer(BufferType.HttpRequestBody, 0, size)`.
   */
  onRequestBody(size: u32, endOfStream: bool): FilterDataStatus {
    return FilterDataStatus.Continue;
  }
  /** The request's trailers are there (`requestTrailers`), its body is over. */
  onRequestTrailers(trailers: u32): FilterTrailersStatus {
    return FilterTrailersStatus.Continue;
  }
  /** Response headers are there, from upstream or of a local reply. */
  onResponseHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    return FilterHeadersStatus.Continue;
  }
  /** A piece of the response's body is there: `readBuffer(BufferType.HttpResponseBody, 0, size)`. */
  onResponseBody(size: u32, endOfStream: bool): FilterDataStatus {
    return FilterDataStatus.Continue;
  }
  /** The response's trailers are there (`responseTrailers`). */
  onResponseTrailers(trailers: u32): FilterTrailersStatus {
    return FilterTrailersStatus.Continue;
  }
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
