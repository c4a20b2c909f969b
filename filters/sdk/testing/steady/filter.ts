// Does per request what filters do, and leaves no garbage: headers, a body, an HTTP callout, a gRPC call or stream, by
// the header x-mode.
import {
  BufferType,
  Bytes,
  continueRequest,
  defineMetric,
  FilterDataStatus,
  FilterHeadersStatus,
  getProperty,
  grpcCall,
  grpcClose,
  grpcSend,
  grpcStream,
  httpCall,
  httpCallResponseHeaders,
  HttpContext,
  incrementMetric,
  literal,
  MetricType,
  PairsWriter,
  propertyPath,
  readBuffer,
  registerRoot,
  requestHeaders,
  responseHeaders,
  RootContext,
  writeBuffer,
} from "as-proxy-wasm-sdk";

const CALL = new PairsWriter();

class Steady extends RootContext {
  counter: u32 = 0;
  override onConfigure(configuration: Bytes): bool {
    this.counter = defineMetric(MetricType.Counter, literal("steady"));
    return true;
  }
  override createHttpContext(): HttpContext {
    return new SteadyStream(this);
  }
}

class SteadyStream extends HttpContext {
  constructor(private root: Steady) {
    super();
  }

  override onRequestHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    incrementMetric(this.root.counter);
    const pairs = requestHeaders.pairs();
    const mode = pairs.first(literal("x-mode"));
    getProperty(propertyPath("source/address"));
    requestHeaders.replace(literal("x-count"), Bytes.ofInteger(pairs.count));
    if (mode === null) return FilterHeadersStatus.Continue;
    if (mode.equals(literal("http")))
      httpCall(
        this.id,
        literal("cluster"),
        CALL.clear()
          .add(literal(":method"), literal("GET"))
          .add(literal(":path"), mode)
          .add(literal(":authority"), mode)
          .finish(),
        1000,
        mode,
      );
    else if (mode.equals(literal("grpc")))
      grpcCall(this.id, literal("cluster"), literal("a.Service"), literal("Method"), mode, 1000);
    else if (mode.equals(literal("stream")))
      grpcSend(grpcStream(this.id, literal("cluster"), literal("a.Service"), literal("Method")), mode);
    else return FilterHeadersStatus.Continue;
    return FilterHeadersStatus.StopIteration;
  }

  override onRequestBody(size: u32, endOfStream: bool): FilterDataStatus {
    const body = readBuffer(BufferType.HttpRequestBody, 0, size);
    writeBuffer(BufferType.HttpRequestBody, 0, size, body.slice(body.length >> 1));
    return FilterDataStatus.Continue;
  }

  override onHttpCallResponse(token: u32, headers: u32, bodySize: u32, trailers: u32): void {
    const status = httpCallResponseHeaders.get(literal(":status"));
    if (status !== null) requestHeaders.add(literal("x-status"), status);
    continueRequest();
  }
  override onGrpcMessage(token: u32, size: u32): void {
    requestHeaders.add(literal("x-answer"), readBuffer(BufferType.GrpcReceiveBuffer, 0, size));
    if ((token & 3) == 1) continueRequest();
    else grpcClose(token);
  }
  override onGrpcClose(token: u32, status: u32): void {
    continueRequest();
  }

  override onResponseHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    responseHeaders.add(literal("x-seen"), literal("yes"));
    return FilterHeadersStatus.Continue;
  }
}

registerRoot(() => new Steady());
