// A filter for the SDK's own tests: configuration, per-stream state, callouts, bodies, timers.
import {
  Bytes,
  BytesMap,
  BytesWriter,
  BufferType,
  closeStream,
  continueRequest,
  defineMetric,
  EMPTY,
  FilterDataStatus,
  FilterHeadersStatus,
  httpCall,
  HttpContext,
  incrementMetric,
  isLogged,
  JsonDocument,
  literal,
  log,
  LogLevel,
  MetricType,
  PairsWriter,
  readBuffer,
  registerRoot,
  requestHeaders,
  responseHeaders,
  RootContext,
  setTickPeriod,
  writeBuffer,
} from "as-proxy-wasm-sdk";

const ACTION = literal("x-action");
const SEEN = literal("x-seen");
const COUNT = literal("x-count");
const KEY = literal("x-key");
const GREETING = literal("x-greeting");
const KEYS = new BytesMap(4);
const WRITER = new BytesWriter(16);

class Sample extends RootContext {
  greeting: Bytes = EMPTY;
  ticks: u32 = 0;
  override onConfigure(configuration: Bytes): bool {
    const doc = new JsonDocument(configuration, this.region);
    const root = doc.root.object().only(["greeting", "limits", "on", "tickMs", "ratio", "pause"]);
    this.greeting = root.get("greeting").bytesOr(EMPTY);
    const limits = root.get("limits").list();
    for (let i = 0; i < limits.length; i++) {
      const limit = limits.at(i).object();
      limit.get("name").string();
      const per = limit.get("per").integer(1, 60);
      if (doc.ok && per == 13) limit.get("per").fail("a lucky number");
    }
    root.get("on").booleanOr(false);
    if (root.get("ratio").isPresent) log(LogLevel.Info, "ratio " + root.get("ratio").number().toString());
    const pause = root.get("pause").durationOr(0, 1, 90_000);
    if (pause > 0) log(LogLevel.Info, "pause " + pause.toString());
    const tickMs = <u32>root.get("tickMs").integerOr(0, 0, 60000);
    if (!doc.ok) return this.reject(doc.error);
    if (tickMs > 0) setTickPeriod(tickMs);
    this.ticks = defineMetric(MetricType.Counter, literal("sample_ticks"));
    return true;
  }
  override createHttpContext(): HttpContext {
    log(LogLevel.Debug, "new object");
    return new SampleStream(this);
  }
  override onTick(): void {
    incrementMetric(this.ticks);
  }
}

class SampleStream extends HttpContext {
  private count: i32 = 0;
  constructor(private root: Sample) {
    super();
  }
  override onStart(): void {
    this.count = 0;
  }

  override onRequestHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    this.count++;
    const pairs = requestHeaders.pairs();
    const action = pairs.first(ACTION);
    if (action !== null) {
      if (action.equals(literal("call"))) return this.call();
      if (action.equals(literal("close"))) closeStream();
      if (action.equals(literal("garbage"))) log(LogLevel.Trace, action.toString() + " of " + pairs.count.toString());
      if (action.equals(literal("abort"))) assert(pairs.count == 0, "as asked");
    }
    const seen = pairs.joined(KEY);
    if (seen !== null) this.look(seen);
    return FilterHeadersStatus.Continue;
  }

  /** Puts most of the view's methods to use on a value from outside, and shows what they say. */
  private look(seen: Bytes): void {
    const half = seen.slice(0, seen.length >> 1);
    WRITER.clear().bytes(seen.trim()).byte(0x2f).integer(seen.length);
    if (seen.startsWith(half) && seen.endsWith(seen.slice(half.length)) && seen.indexOfBytes(half) == 0)
      WRITER.text("/halves");
    if (seen.equalsIgnoreCase(literal("KEY")) && !seen.equals(literal("KEY"))) WRITER.text("/case");
    WRITER.byte(0x2f).integer(seen.toInteger(-1)).byte(0x2f).integer(KEYS.get(seen, 99));
    if (!KEYS.has(seen)) WRITER.text(KEYS.set(seen, KEYS.size) ? "/new" : "/full");
    requestHeaders.replace(SEEN, WRITER.result);
    requestHeaders.replace(COUNT, Bytes.ofInteger(this.count));
  }

  private call(): FilterHeadersStatus {
    const headers = new PairsWriter()
      .add(literal(":method"), literal("GET"))
      .add(literal(":path"), literal("/"))
      .add(literal(":authority"), KEY)
      .finish();
    return httpCall(this.id, KEY, headers, 100) == 0 ? FilterHeadersStatus.Continue : FilterHeadersStatus.StopIteration;
  }

  override onHttpCallResponse(token: u32, headers: u32, bodySize: u32, trailers: u32): void {
    requestHeaders.replace(SEEN, readBuffer(BufferType.HttpCallResponseBody, 0, bodySize));
    continueRequest();
  }

  override onRequestBody(size: u32, endOfStream: bool): FilterDataStatus {
    if (!endOfStream) return FilterDataStatus.StopIterationAndBuffer;
    const body = readBuffer(BufferType.HttpRequestBody, 0, size);
    let sum: u32 = 0;
    for (let i = 0; i < body.length; i++) sum += body.at(i);
    if (isLogged(LogLevel.Info)) log(LogLevel.Info, "body " + body.length.toString() + " sum " + sum.toString());
    writeBuffer(BufferType.HttpRequestBody, 0, size, body.slice(body.length - 3));
    return FilterDataStatus.Continue;
  }

  override onResponseHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    responseHeaders.add(GREETING, this.root.greeting);
    return FilterHeadersStatus.Continue;
  }
}

registerRoot(() => new Sample());
