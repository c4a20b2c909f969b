// consumes: the configurations of up to four functions, and each request
// produces: what authz, ratelimit, router and telemetry do one after the other, with one entry into the VM for each
// phase
// never does: decide anything itself; run a function that is not configured
import {
  Bytes,
  continueRequest,
  FilterHeadersStatus,
  HttpContext,
  JsonDocument,
  RootContext,
  StreamContext,
} from "as-proxy-wasm-sdk";
import { Authorization, AuthorizedStream } from "../authz/filter";
import { RateLimit } from "../ratelimit/filter";
import { LimitedStream } from "../ratelimit/stream";
import { RoutedStream, RouteChoice, Router } from "../router/filter";
import { Destination, ObservedStream, Telemetry } from "../telemetry/filter";

/** One configured set of functions. */
export class Mesh extends RootContext {
  authz: Authorization | null = null;
  ratelimit: RateLimit | null = null;
  router: Router | null = null;
  telemetry: Telemetry | null = null;

  override onConfigure(configuration: Bytes): bool {
    const document = new JsonDocument(configuration, this.region);
    const functions = document.root.object().only(["authz", "ratelimit", "router", "telemetry"]);
    if (functions.length == 0) functions.fail("at least one of authz, ratelimit, router, telemetry");
    if (!document.ok) return this.reject(document.error);

    if (!functions.get("authz").isMissing) {
      const authz = this.adopt(new Authorization());
      if (!authz.configureFrom(functions.get("authz"))) return false;
      this.authz = authz;
    }
    if (!functions.get("ratelimit").isMissing) {
      const ratelimit = this.adopt(new RateLimit());
      if (!ratelimit.configureFrom(functions.get("ratelimit"))) return false;
      this.ratelimit = ratelimit;
    }
    if (!functions.get("router").isMissing) {
      const router = this.adopt(new Router());
      if (!router.configureFrom(functions.get("router"))) return false;
      this.router = router;
    }
    if (!functions.get("telemetry").isMissing) {
      const telemetry = this.adopt(new Telemetry());
      if (!telemetry.configureFrom(functions.get("telemetry"))) return false;
      this.telemetry = telemetry;
    }
    return true;
  }

  override createHttpContext(): HttpContext {
    return new MeshStream(this);
  }

  override onTick(): void {
    const ratelimit = this.ratelimit;
    if (ratelimit != null) ratelimit.onTick();
  }

  override onHttpCallResponse(token: u32, headers: u32, bodySize: u32, trailers: u32): void {
    const ratelimit = this.ratelimit;
    if (ratelimit != null) ratelimit.onHttpCallResponse(token, headers, bodySize, trailers);
  }

  override onGrpcMessage(token: u32, size: u32): void {
    const ratelimit = this.ratelimit;
    if (ratelimit != null) ratelimit.onGrpcMessage(token, size);
  }

  override onGrpcClose(token: u32, status: u32): void {
    const ratelimit = this.ratelimit;
    if (ratelimit != null) ratelimit.onGrpcClose(token, status);
  }

  /** The function lives and dies with this root: the same id towards the host, the same memory. */
  private adopt<T extends RootContext>(root: T): T {
    root.id = this.id;
    root.region = this.region;
    return root;
  }
}

/** One stream through the configured functions. Its parts are reused with it. */
class MeshStream extends HttpContext {
  private authorized: AuthorizedStream | null = null;
  private limited: LimitedPart | null = null;
  private routed: RoutedStream | null = null;
  private observed: ObservedStream | null = null;
  private headers: u32 = 0;
  private endOfStream: bool = false;

  constructor(root: Mesh) {
    super();
    const authz = root.authz,
      ratelimit = root.ratelimit,
      router = root.router,
      telemetry = root.telemetry;
    if (authz != null) this.authorized = part(new AuthorizedStream(authz), authz);
    if (ratelimit != null) this.limited = part(new LimitedPart(ratelimit, this), ratelimit);
    if (router != null) this.routed = part(new RoutedStream(router), router);
    if (telemetry != null) this.observed = part(new ObservedStream(telemetry), telemetry);
  }

  override onStart(): void {
    start(this.authorized, this.id);
    start(this.limited, this.id);
    start(this.routed, this.id);
    start(this.observed, this.id);
  }

  override onRequestHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    const authorized = this.authorized;
    if (authorized != null) {
      const status = authorized.onRequestHeaders(headers, endOfStream);
      if (status != FilterHeadersStatus.Continue) return status;
    }
    const limited = this.limited;
    if (limited != null) {
      const status = limited.onRequestHeaders(headers, endOfStream);
      if (status != FilterHeadersStatus.Continue) {
        this.headers = headers;
        this.endOfStream = endOfStream;
        return status;
      }
    }
    return this.afterLimit(headers, endOfStream);
  }

  /**
   * The rate limit had held the request, and lets it go on: so do the functions behind it, in the callback that brought
   * the answer.
   */
  resume(): void {
    if (this.afterLimit(this.headers, this.endOfStream) == FilterHeadersStatus.Continue) continueRequest();
  }

  private afterLimit(headers: u32, endOfStream: bool): FilterHeadersStatus {
    const routed = this.routed;
    let choice = RouteChoice.None;
    if (routed != null) {
      const status = routed.onRequestHeaders(headers, endOfStream);
      if (status != FilterHeadersStatus.Continue) return status;
      choice = routed.choice;
    }
    const observed = this.observed;
    if (observed == null) return FilterHeadersStatus.Continue;
    // Envoy resolves the chosen route only behind this filter: until then it shows no cluster that telemetry could ask.
    if (choice != RouteChoice.None)
      observed.destination = choice == RouteChoice.Inside ? Destination.Inside : Destination.Outside;
    return observed.onRequestHeaders(headers, endOfStream);
  }

  override onResponseHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    const limited = this.limited,
      observed = this.observed;
    // Neither of the two ever holds a response.
    if (limited != null) limited.onResponseHeaders(headers, endOfStream);
    return observed != null ? observed.onResponseHeaders(headers, endOfStream) : FilterHeadersStatus.Continue;
  }

  override onHttpCallResponse(token: u32, headers: u32, bodySize: u32, trailers: u32): void {
    const limited = this.limited;
    if (limited != null) limited.onHttpCallResponse(token, headers, bodySize, trailers);
  }

  override onGrpcMessage(token: u32, size: u32): void {
    const limited = this.limited;
    if (limited != null) limited.onGrpcMessage(token, size);
  }

  override onGrpcClose(token: u32, status: u32): void {
    const limited = this.limited;
    if (limited != null) limited.onGrpcClose(token, status);
  }

  override onLog(): void {
    const observed = this.observed;
    if (observed != null) observed.onLog();
  }

  override onEnd(): void {
    const authorized = this.authorized,
      limited = this.limited,
      routed = this.routed,
      observed = this.observed;
    if (authorized != null) authorized.onEnd();
    if (limited != null) limited.onEnd();
    if (routed != null) routed.onEnd();
    if (observed != null) observed.onEnd();
  }
}

/** The rate limit as a part: where it would let the request go on, the whole stream goes on. */
class LimitedPart extends LimitedStream {
  constructor(
    root: RateLimit,
    private readonly whole: MeshStream,
  ) {
    super(root);
  }

  override resume(): void {
    this.whole.resume();
  }
}

function part<T extends StreamContext>(stream: T, owner: RootContext): T {
  stream.owner = owner;
  return stream;
}

// @ts-ignore: decorator
@inline
function start<T extends StreamContext | null>(stream: T, id: u32): void {
  if (stream == null) return;
  stream.id = id;
  stream.onStart();
}
