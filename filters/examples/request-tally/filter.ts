// One timer for all workers: streams put their request's method into a shared queue, one worker reads it, and once per
// period that worker logs how many came. Configuration: {"periodMs": 1000}.
//
// Messages of a queue are announced to the root that registered it last, so exactly one worker counts: it is the
// singleton, without an election.
import {
  Bytes,
  dequeue,
  EMPTY,
  enqueue,
  FilterHeadersStatus,
  HttpContext,
  JsonDocument,
  literal,
  log,
  LogLevel,
  registerQueue,
  registerRoot,
  requestHeaders,
  RootContext,
  setTickPeriod,
} from "as-proxy-wasm-sdk";

class RequestTally extends RootContext {
  queue: u32 = 0;
  private requests: i64 = 0;
  private posts: i64 = 0;

  override onConfigure(configuration: Bytes): bool {
    const document = new JsonDocument(configuration, this.region);
    const periodMs = <u32>document.root.object().only(["periodMs"]).get("periodMs").integerOr(1000, 1, 3600000);
    if (!document.ok) return this.reject(document.error);
    this.queue = registerQueue(literal("requests"));
    setTickPeriod(periodMs);
    return true;
  }

  override createHttpContext(): HttpContext {
    return new RequestTallyStream(this);
  }

  override onQueueReady(queue: u32): void {
    for (let method = dequeue(queue); method !== null; method = dequeue(queue)) {
      this.requests++;
      if (method.equals(literal("POST"))) this.posts++;
    }
  }

  override onTick(): void {
    if (this.requests == 0) return; // also every worker but the one that reads
    log(LogLevel.Warn, "tally: " + this.requests.toString() + " requests, " + this.posts.toString() + " of them POST");
    this.requests = 0;
    this.posts = 0;
  }
}

class RequestTallyStream extends HttpContext {
  constructor(private root: RequestTally) {
    super();
  }

  override onRequestHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    const method = requestHeaders.get(literal(":method"));
    enqueue(this.root.queue, method === null ? EMPTY : method);
    return FilterHeadersStatus.Continue;
  }
}

registerRoot(() => new RequestTally());
