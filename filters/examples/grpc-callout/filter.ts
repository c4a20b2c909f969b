// Sends each request's path to a unary gRPC method and adds the answer as a header for upstream; without an answer, or
// with one that no header can hold, it replies 503. Configuration: {"cluster": "inventory.default.svc.cluster.local:7070",
// "service": "test.Echo", "method": "Unary", "header": "x-answer", "timeoutMs": 200}. Message and answer are text here; a
// real service's messages are protobuf, of which a field's text goes the same way.
import {
  authorityOf,
  BufferType,
  Bytes,
  clusterOf,
  continueRequest,
  EMPTY,
  FilterHeadersStatus,
  grpcCall,
  grpcStatusMessage,
  HttpContext,
  isLogged,
  JsonDocument,
  literal,
  logBytes,
  LogLevel,
  readBuffer,
  registerRoot,
  requestHeaders,
  RootContext,
  sendLocalReply,
} from "as-proxy-wasm-sdk";

class GrpcCallout extends RootContext {
  cluster: Bytes = EMPTY;
  service: Bytes = EMPTY;
  method: Bytes = EMPTY;
  header: Bytes = EMPTY;
  timeoutMs: u32 = 0;

  override onConfigure(configuration: Bytes): bool {
    const document = new JsonDocument(configuration, this.region);
    const root = document.root.object().only(["cluster", "service", "method", "header", "timeoutMs"]);
    this.cluster = this.region.keep(clusterOf(root.get("cluster").bytes()));
    this.service = root.get("service").bytes();
    this.method = root.get("method").bytes();
    this.header = root.get("header").bytes();
    this.timeoutMs = <u32>root.get("timeoutMs").integerOr(200, 1, 60000);
    return document.ok ? true : this.reject(document.error);
  }

  override createHttpContext(): HttpContext {
    return new GrpcCalloutStream(this);
  }
}

class GrpcCalloutStream extends HttpContext {
  constructor(private root: GrpcCallout) {
    super();
  }

  override onRequestHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    const root = this.root;
    const path = requestHeaders.get(literal(":path"));
    const token = grpcCall(
      this.id,
      root.cluster,
      root.service,
      root.method,
      path === null ? EMPTY : path,
      root.timeoutMs,
      EMPTY,
      authorityOf(root.cluster),
    );
    if (token == 0) sendLocalReply(503, literal("callout_refused"));
    return FilterHeadersStatus.StopIteration;
  }

  override onGrpcMessage(token: u32, size: u32): void {
    const answer = readBuffer(BufferType.GrpcReceiveBuffer, 0, size);
    if (isHeaderText(answer)) {
      requestHeaders.replace(this.root.header, answer);
      continueRequest();
    } else sendLocalReply(503, literal("callout_unreadable"));
  }

  override onGrpcClose(token: u32, status: u32): void {
    if (isLogged(LogLevel.Debug)) logBytes(LogLevel.Debug, grpcStatusMessage());
    sendLocalReply(503, literal("callout_failed"));
  }
}

/** Others speak: their line breaks would be headers, and Envoy ends the request over a NUL. */
function isHeaderText(value: Bytes): bool {
  for (let i = 0; i < value.length; i++) if (value.at(i) < 0x20 || value.at(i) > 0x7e) return false;
  return true;
}

registerRoot(() => new GrpcCallout());
