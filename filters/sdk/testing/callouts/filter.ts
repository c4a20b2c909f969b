// A filter that reports what gRPC callouts, queues, trailers and foreign functions answer, for the Wasm host and a real
// Envoy alike.
import {
  BufferType,
  bufferLength,
  Bytes,
  BytesWriter,
  dequeue,
  EMPTY,
  enqueue,
  FilterHeadersStatus,
  FilterTrailersStatus,
  grpcCall,
  grpcCancel,
  grpcClose,
  grpcInitialMetadata,
  grpcSend,
  grpcStatusMessage,
  grpcStream,
  grpcTrailingMetadata,
  HttpContext,
  lastStatus,
  literal,
  log,
  LogLevel,
  PairsWriter,
  readBuffer,
  registerQueue,
  registerRoot,
  requestHeaders,
  requestTrailers,
  resolveQueue,
  responseTrailers,
  RootContext,
  runForeign,
  sendLocalReply,
} from "as-proxy-wasm-sdk";

const MODE = literal("x-mode");
const META = literal("x-meta");
const SERVICE = literal("test.Echo");
const QUEUE = literal("probe-queue");
const CLUSTER = literal("inventory"); // also valid protobuf: see grpc.ts

class Callouts extends RootContext {
  queue: u32 = 0;
  token: u32 = 0;

  override onConfigure(configuration: Bytes): bool {
    this.queue = registerQueue(QUEUE);
    return this.queue != 0;
  }
  override createHttpContext(): HttpContext {
    return new CalloutsStream(this);
  }
  override onQueueReady(queue: u32): void {
    for (let message = dequeue(queue); message !== null; message = dequeue(queue))
      log(LogLevel.Warn, "dequeued " + message.toString());
    log(LogLevel.Warn, "queue empty: " + lastStatus().toString());
  }
  override onGrpcMessage(token: u32, size: u32): void {
    log(
      LogLevel.Warn,
      "root got " +
        readBuffer(BufferType.GrpcReceiveBuffer, 0, size).toString() +
        (token == this.token ? "" : " of another call"),
    );
  }
}

class CalloutsStream extends HttpContext {
  private report: BytesWriter = new BytesWriter(256);
  constructor(private root: Callouts) {
    super();
  }
  override onStart(): void {
    this.report.clear();
  }

  private line(name: string, value: Bytes): void {
    this.report.text(name).text("=").bytes(value).byte(0x0a);
  }
  private number(name: string, value: i64): void {
    this.report.text(name).text("=").integer(value).byte(0x0a);
  }
  private reply(): void {
    sendLocalReply(200, literal("reported"), this.report.result);
  }

  override onRequestHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    const mode = requestHeaders.get(MODE);
    if (mode === null) return FilterHeadersStatus.Continue;
    if (mode.equals(literal("stream"))) return this.stream();
    if (mode.equals(literal("tokens"))) return this.tokens();
    if (mode.equals(literal("queue"))) return this.queues();
    if (mode.equals(literal("root"))) {
      this.root.token = grpcCall(0, CLUSTER, SERVICE, literal("Unary"), literal("for the root"), 5000);
      return FilterHeadersStatus.Continue;
    }
    let cluster = CLUSTER;
    if (mode.equals(literal("Unknown"))) cluster = literal("no-such-cluster");
    if (mode.equals(literal("Unreachable"))) cluster = literal("nobody");
    const timeout: u32 = mode.equals(literal("Silent")) ? 200 : 20000;
    const token = grpcCall(
      this.id,
      cluster,
      SERVICE,
      mode,
      literal("hello"),
      timeout,
      new PairsWriter().add(META, literal("sent")).finish(),
    );
    this.number("kind", token & 3);
    this.number("status", lastStatus());
    if (token == 0) this.reply();
    return FilterHeadersStatus.StopIteration;
  }

  private stream(): FilterHeadersStatus {
    const token = grpcStream(
      this.id,
      CLUSTER,
      SERVICE,
      literal("Chat"),
      new PairsWriter().add(META, literal("sent")).finish(),
    );
    this.number("kind", token & 3);
    this.number("send", grpcSend(token, literal("one")));
    this.number("send last", grpcSend(token, literal("two"), true));
    return FilterHeadersStatus.StopIteration;
  }

  private tokens(): FilterHeadersStatus {
    const call = grpcCall(this.id, CLUSTER, SERVICE, literal("Silent"), EMPTY, 0);
    this.number("send on a call", grpcSend(call, EMPTY));
    this.number("cancel a call", grpcCancel(call));
    this.number("cancel it again", grpcCancel(call));
    const other = grpcCall(this.id, CLUSTER, SERVICE, literal("Silent"), EMPTY, 0);
    this.number("close a call", grpcClose(other));
    this.number("close it again", grpcClose(other));
    const stream = grpcStream(this.id, CLUSTER, SERVICE, literal("Chat"));
    this.number("cancel a stream", grpcCancel(stream));
    this.number("send on it", grpcSend(stream, EMPTY));
    this.number("cancel what is no callout", grpcCancel(4));
    this.number("message outside", grpcStatusMessage().length);
    this.number("unknown foreign function", runForeign(literal("no_such_function")));
    this.number("clear_route_cache", runForeign(literal("clear_route_cache")));
    this.reply();
    return FilterHeadersStatus.StopIteration;
  }

  private queues(): FilterHeadersStatus {
    const queue = resolveQueue(QUEUE);
    this.number("same queue", queue == this.root.queue ? 1 : 0);
    this.number("enqueue", enqueue(queue, literal("first")));
    this.number("enqueue", enqueue(queue, literal("second")));
    this.number("unknown queue", resolveQueue(literal("no-such-queue")));
    this.number("status", lastStatus());
    this.number("enqueue to none", enqueue(4711, EMPTY));
    this.number("dequeue from none", dequeue(4711) === null ? lastStatus() : -1);
    this.reply();
    return FilterHeadersStatus.StopIteration;
  }

  override onGrpcInitialMetadata(token: u32, headers: u32): void {
    const value = grpcInitialMetadata.get(literal("x-first"));
    this.line("first metadata", value === null ? EMPTY : value);
  }
  override onGrpcMessage(token: u32, size: u32): void {
    this.number("buffer", bufferLength(BufferType.GrpcReceiveBuffer) == size ? 1 : 0);
    this.line("message", readBuffer(BufferType.GrpcReceiveBuffer, 0, size));
    if ((token & 3) == 1) this.reply();
  }
  override onGrpcTrailingMetadata(token: u32, trailers: u32): void {
    const value = grpcTrailingMetadata.get(literal("x-last"));
    this.line("last metadata", value === null ? EMPTY : value);
  }
  override onGrpcClose(token: u32, status: u32): void {
    this.number("closed", status);
    this.line("saying", grpcStatusMessage());
    if ((token & 3) == 2) this.number("close our side", grpcClose(token));
    this.reply();
  }

  override onRequestTrailers(trailers: u32): FilterTrailersStatus {
    requestTrailers.add(literal("x-seen-request-trailers"), Bytes.ofInteger(requestTrailers.pairs().count));
    return FilterTrailersStatus.Continue;
  }
  override onResponseTrailers(trailers: u32): FilterTrailersStatus {
    const last = responseTrailers.get(literal("x-last"));
    responseTrailers.replace(literal("x-seen-response-trailers"), last === null ? EMPTY : last);
    responseTrailers.remove(literal("x-last"));
    return FilterTrailersStatus.Continue;
  }
}

registerRoot(() => new Callouts());
