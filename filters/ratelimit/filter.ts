// consumes: a request's headers, its caller's identity and address
// produces: nothing, or 429 with Retry-After and the limit's name in the response code details
// never does: admit more than burst + rate × time over all workers of the proxy
import { HttpContext } from "as-proxy-wasm-sdk";
import { Limiter } from "./limiter";
import { LimitedStream } from "./stream";

/** One configured set of limits. */
export class RateLimit extends Limiter {
  override createHttpContext(): HttpContext {
    return new LimitedStream(this);
  }
}
