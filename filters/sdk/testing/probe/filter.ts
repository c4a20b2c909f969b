// A filter that reports what the host answers, so that the Wasm host and a real Envoy can be compared line by line.
import {
  Bytes,
  BytesWriter,
  BufferType,
  clearRouteCache,
  continueRequest,
  CREATE,
  defineMetric,
  EMPTY,
  FilterDataStatus,
  FilterHeadersStatus,
  getProperty,
  getShared,
  HeaderMap,
  httpCall,
  httpCallResponseHeaders,
  HttpContext,
  incrementMetric,
  JsonDocument,
  lastStatus,
  literal,
  log,
  LogLevel,
  MetricType,
  monotonicNanoseconds,
  PairsWriter,
  propertyPath,
  readBuffer,
  readMetric,
  recordMetric,
  registerRoot,
  requestHeaders,
  requestTrailers,
  responseHeaders,
  RootContext,
  sendLocalReply,
  setProperty,
  setShared,
  setTickPeriod,
  sharedVersion,
  writeBuffer,
  wallNanoseconds,
  callForeign,
} from "as-proxy-wasm-sdk";

const MODE = literal("x-mode");
const MULTI = literal("x-multi");
const KEY = literal("x-key");
const ADDED = literal("x-added");
const STATUS = literal(":status");
const ONE = literal("1");
const OUT = new BytesWriter(4096);

function line(name: string, value: Bytes | null): void {
  OUT.text(name).text("=");
  if (value === null) OUT.text("(status ").integer(lastStatus()).text(")");
  else OUT.bytes(value);
  OUT.byte(0x0a);
}

function number(name: string, value: i64): void {
  OUT.text(name).text("=").integer(value).byte(0x0a);
}

function property(path: string): void {
  line(path, getProperty(propertyPath(path)));
}

/** The size of what the property gives, or the status. */
function propertySize(path: string): void {
  const value = getProperty(propertyPath(path));
  if (value === null) line("size of " + path, null);
  else number("size of " + path, value.length);
}

class Probe extends RootContext {
  counter: u32 = 0;
  histogram: u32 = 0;
  cluster: Bytes = ONE;
  override onConfigure(configuration: Bytes): bool {
    const doc = new JsonDocument(configuration, this.region);
    doc.root.object().only(["cluster", "tickMs", "trap"]);
    this.cluster = doc.root.get("cluster").bytesOr(ONE);
    const tickMs = <u32>doc.root.get("tickMs").integerOr(0, 0, 3600000);
    if (doc.root.get("trap").booleanOr(false)) unreachable();
    if (!doc.ok) return this.reject(doc.error);
    if (tickMs > 0) setTickPeriod(tickMs);
    this.counter = defineMetric(MetricType.Counter, literal("probe_counter"));
    this.histogram = defineMetric(MetricType.Histogram, literal("probe_histogram"));
    OUT.clear();
    number(
      "configuration beyond its end",
      readBuffer(BufferType.PluginConfiguration, 0, 1 << 20).length == configuration.length ? 1 : 0,
    );
    number("status", lastStatus());
    number("configuration behind its end", readBuffer(BufferType.PluginConfiguration, 1 << 16, 5).length);
    number("status", lastStatus());
    number("request headers while configuring", requestHeaders.pairs().count);
    number("status", lastStatus());
    line("a header while configuring", requestHeaders.get(MODE));
    number("set a property while configuring", setProperty(KEY, ONE));
    line("plugin_name", getProperty(propertyPath("plugin_name")));
    line("plugin_root_id", getProperty(propertyPath("plugin_root_id")));
    property("node/id");
    property("xds/node/id");
    property("node/metadata/NAMESPACE");
    property("xds/node/metadata/NAMESPACE");
    property("source/address");
    number("unknown metric type", defineMetric(7, KEY));
    number("status", lastStatus());
    report("configure", LogLevel.Warn);
    return true;
  }
  override createHttpContext(): HttpContext {
    return new ProbeStream(this);
  }
  override onTick(): void {
    incrementMetric(this.counter, 1000);
  }
}

function report(phase: string, level: LogLevel): void {
  log(level, "probe " + phase + ": " + OUT.result.toString().split("\n").join(" | "));
}

class ProbeStream extends HttpContext {
  mode: Bytes = ONE;
  constructor(private root: Probe) {
    super();
  }
  override onStart(): void {
    this.mode = ONE;
  }

  override onRequestHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    const mode = requestHeaders.get(MODE);
    if (mode === null) return FilterHeadersStatus.Continue;
    if (mode.equals(literal("trap"))) unreachable();
    if (mode.equals(literal("body"))) {
      this.mode = literal("body");
      return FilterHeadersStatus.Continue;
    }
    if (mode.equals(literal("call"))) return this.call();
    if (mode.equals(literal("pass"))) return this.pass();
    if (mode.equals(literal("grpc"))) {
      sendLocalReply(429, literal("probe grpc"), literal("slow down"), EMPTY, 8);
      return FilterHeadersStatus.StopIteration;
    }
    this.request();
    sendLocalReply(
      418,
      literal("probe details with spaces"),
      OUT.result,
      new PairsWriter().add(ADDED, ONE).add(ADDED, KEY).finish(),
    );
    // What is returned does not matter after a local reply.
    return FilterHeadersStatus.Continue;
  }

  private request(): void {
    OUT.clear();
    line("method", requestHeaders.get(literal(":method")));
    line("first of repeated", requestHeaders.get(MULTI));
    const pairs = requestHeaders.pairs();
    number("values of repeated", pairs.countOf(MULTI));
    line("joined", pairs.joined(MULTI));
    line("absent", requestHeaders.get(literal("x-absent")));
    line("upper-case name", requestHeaders.get(literal("X-MODE")));
    line("joined by Envoy", requestHeaders.get(literal("x-forwarded-proto")));
    this.properties();
    this.writes();
    this.shared();
  }

  private properties(): void {
    property("request/headers/x-multi");
    property("request/path");
    property("request/url_path");
    property("request/query");
    property("request/host");
    property("request/method");
    property("request/scheme");
    property("request/useragent");
    property("request/referer");
    property("request/headers/x-absent");
    property("request/nothing");
    property("nothing");
    propertySize("source/port");
    propertySize("request/time");
    propertySize("connection/mtls");
    propertySize("request/duration");
    propertySize("response/code");
    propertySize("request/size");
    property("node/id");
    property("node/metadata/NAMESPACE");
    property("xds/node/id");
    property("xds/node/cluster");
    property("xds/node/metadata/NAMESPACE");
    property("xds/node/metadata/ABSENT");
    property("xds/virtual_host_name");
    property("route_name");
    property("cluster_name");
    propertySize("listener_direction");
    propertySize("xds/listener_direction");
    property("xds/virtual_host_metadata/filter_metadata/scrim.test/text");
    property("xds/virtual_host_metadata/filter_metadata/scrim.test/absent");
    propertySize("xds/virtual_host_metadata/filter_metadata/scrim.test/number");
    propertySize("xds/virtual_host_metadata/filter_metadata/scrim.test/flag");
    propertySize("xds/virtual_host_metadata/filter_metadata/scrim.test");
    propertySize("xds/virtual_host_metadata/filter_metadata/scrim.test/list");
    property("xds/virtual_host_metadata/filter_metadata/scrim.test/list/1");
    property("xds/virtual_host_metadata/filter_metadata/none/text");
  }

  private writes(): void {
    number("add", requestHeaders.add(ADDED, ONE));
    number("add again", requestHeaders.add(ADDED, KEY));
    number("values", requestHeaders.pairs().countOf(ADDED));
    number("replace", requestHeaders.replace(ADDED, KEY));
    number("values after", requestHeaders.pairs().countOf(ADDED));
    number("remove", requestHeaders.remove(ADDED));
    number("remove absent", requestHeaders.remove(ADDED));
    number("values gone", requestHeaders.pairs().countOf(ADDED));
    number("add to response headers", responseHeaders.add(ADDED, ONE));
    line("response headers now", responseHeaders.get(STATUS));
    number("request trailers", requestTrailers.pairs().count);
    number("status", lastStatus());
    number("unknown map", new HeaderMap(9).add(ADDED, ONE));
    number("set property", setProperty(literal("probe.state"), literal("kept")));
    property("probe.state");
    number("clear route cache", clearRouteCache());
    line("unknown foreign function", callForeign(literal("no_such_function")));
    number("effective unknown cluster call", httpCall(this.id, literal("no-such-cluster"), EMPTY, 1000));
    number("status", lastStatus());
    number("clocks", wallNanoseconds() > 1600000000000000000 && monotonicNanoseconds() > 0 ? 1 : 0);
  }

  private shared(): void {
    line("shared absent", getShared(KEY));
    number("create", setShared(KEY, ONE, CREATE));
    line("shared", getShared(KEY));
    const version = sharedVersion();
    number("create again", setShared(KEY, ONE, CREATE));
    number("swap", setShared(KEY, literal("2"), version));
    number("swap with the old version", setShared(KEY, literal("3"), version));
    line("shared after", getShared(KEY));
    number("count", incrementMetric(this.root.counter, 2));
    number("count zero", incrementMetric(this.root.counter, 0));
    number("read", readMetric(this.root.counter));
    number("record", recordMetric(this.root.histogram, 5));
    number("count a histogram", incrementMetric(this.root.histogram, 1));
    number("unknown metric", incrementMetric(4000, 1));
  }

  private pass(): FilterHeadersStatus {
    this.mode = literal("pass");
    setProperty(literal("probe.state"), literal("kept"));
    return FilterHeadersStatus.Continue;
  }

  private call(): FilterHeadersStatus {
    const headers = new PairsWriter()
      .add(literal(":method"), literal("GET"))
      .add(literal(":path"), literal("/called"))
      .add(literal(":authority"), KEY)
      .finish();
    const token = httpCall(this.id, this.root.cluster, headers, 5000);
    if (token == 0) sendLocalReply(500, literal("no_call"));
    return FilterHeadersStatus.StopIteration;
  }

  override onHttpCallResponse(token: u32, headers: u32, bodySize: u32, trailers: u32): void {
    const status = httpCallResponseHeaders.get(STATUS);
    requestHeaders.add(ADDED, status === null ? ONE : status);
    if (headers == 0) sendLocalReply(502, literal("call_failed"));
    else if (bodySize > 0 && readBuffer(BufferType.HttpCallResponseBody, 0, bodySize).equals(literal("deny")))
      sendLocalReply(403, literal("call_denied"));
    else continueRequest();
  }

  override onRequestBody(size: u32, endOfStream: bool): FilterDataStatus {
    if (!this.mode.equals(literal("body"))) return FilterDataStatus.Continue;
    if (!endOfStream) return FilterDataStatus.StopIterationAndBuffer;
    OUT.clear();
    number("size", size);
    line("body", readBuffer(BufferType.HttpRequestBody, 0, size));
    line("middle", readBuffer(BufferType.HttpRequestBody, 2, 3));
    number("beyond", readBuffer(BufferType.HttpRequestBody, size - 1, 100).length);
    number("status", lastStatus());
    sendLocalReply(200, literal("probe_body"), OUT.result);
    return FilterDataStatus.StopIterationNoBuffer;
  }

  override onResponseHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    responseHeaders.add(literal("x-probe-response"), ONE);
    if (this.mode.equals(literal("pass"))) {
      OUT.clear();
      number("request headers in the response", requestHeaders.pairs().count);
      line("one request header in the response", requestHeaders.get(MODE));
      number("add to request headers in the response", requestHeaders.add(ADDED, ONE));
      property("request/path");
      property("request/headers/x-mode");
      property("probe.state");
      line("response status", responseHeaders.get(STATUS));
      propertySize("response/code");
      property("response/code_details");
      number("replace status", responseHeaders.replace(STATUS, literal("207")));
      responseHeaders.remove(literal("content-length"));
      report("response", LogLevel.Warn);
    }
    return FilterHeadersStatus.Continue;
  }

  override onResponseBody(size: u32, endOfStream: bool): FilterDataStatus {
    if (this.mode.equals(literal("pass"))) writeBuffer(BufferType.HttpResponseBody, size, 0, literal(" and more"));
    return FilterDataStatus.Continue;
  }

  override onLog(): void {
    OUT.clear();
    line("request header in the log", requestHeaders.get(MODE));
    line("absent request header in the log", requestHeaders.get(literal("x-absent")));
    line("status in the log", responseHeaders.get(STATUS));
    number("add in the log", responseHeaders.add(ADDED, ONE));
    line("trailer in the log", requestTrailers.get(MODE));
    property("request/path");
    property("response/headers/x-probe-response");
    propertySize("response/code");
    property("response/code_details");
    propertySize("request/duration");
    property("probe.state");
    report("log", LogLevel.Warn);
  }
}

registerRoot(() => new Probe());
