// Asks an HTTP service whether a request may pass: 200 lets it, anything else answers 403, a failing service 503 (it
// fails closed). Configuration: {"cluster": "checker.default.svc.cluster.local:80", "path": "/authorize", "header":
// "x-user", "timeoutMs": 200}, where a service outside of a mesh goes by its cluster's name. It sees header and path.
import {
  authorityOf,
  Bytes,
  clusterOf,
  continueRequest,
  EMPTY,
  FilterHeadersStatus,
  HttpContext,
  httpCall,
  httpCallResponseHeaders,
  JsonDocument,
  literal,
  PairsWriter,
  registerRoot,
  requestHeaders,
  RootContext,
  sendLocalReply,
} from "as-proxy-wasm-sdk";

const CALL = new PairsWriter(); // one per module: requests leave no garbage

class HttpAuthz extends RootContext {
  cluster: Bytes = EMPTY;
  path: Bytes = EMPTY;
  header: Bytes = EMPTY;
  timeoutMs: u32 = 0;

  override onConfigure(configuration: Bytes): bool {
    const document = new JsonDocument(configuration, this.region);
    const root = document.root.object().only(["cluster", "path", "header", "timeoutMs"]);
    this.cluster = this.region.keep(clusterOf(root.get("cluster").bytes()));
    this.path = root.get("path").bytes();
    this.header = root.get("header").bytes();
    this.timeoutMs = <u32>root.get("timeoutMs").integerOr(200, 1, 60000);
    return document.ok ? true : this.reject(document.error);
  }

  override createHttpContext(): HttpContext {
    return new HttpAuthzStream(this);
  }
}

class HttpAuthzStream extends HttpContext {
  constructor(private root: HttpAuthz) {
    super();
  }

  override onRequestHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    const root = this.root;
    // every value: the service must not see less than upstream will
    const credential = requestHeaders.pairs().joined(root.header);
    const path = requestHeaders.get(literal(":path"));
    const call = CALL.clear()
      .add(literal(":method"), literal("GET"))
      .add(literal(":path"), root.path)
      .add(literal(":authority"), authorityOf(root.cluster));
    if (credential !== null) call.add(root.header, credential);
    if (path !== null) call.add(literal("x-original-path"), path);
    if (httpCall(this.id, root.cluster, call.finish(), root.timeoutMs) == 0)
      sendLocalReply(503, literal("authz_unavailable"));
    return FilterHeadersStatus.StopIteration;
  }

  override onHttpCallResponse(token: u32, headers: u32, bodySize: u32, trailers: u32): void {
    const status = httpCallResponseHeaders.get(literal(":status"));
    if (status === null || status.startsWith(literal("5"))) sendLocalReply(503, literal("authz_unavailable"));
    else if (status.equals(literal("200"))) continueRequest();
    else sendLocalReply(403, literal("authz_denied"), literal("denied\n"));
  }
}

registerRoot(() => new HttpAuthz());
