// Does what its configuration says, host call by host call, and logs what each answered: {"request_headers": {"calls":
// [["add", "0", "x-a", "1"], …], "answer": 0}, "request_body": …, "response_headers": …, "response_body": …, "log": …}.
// For comparing hosts over calls nobody thought of.
import {
  Bytes,
  BytesWriter,
  bufferLength,
  continueRequest,
  continueResponse,
  FilterDataStatus,
  FilterHeadersStatus,
  getProperty,
  getShared,
  HeaderMap,
  HttpContext,
  Json,
  JsonDocument,
  lastStatus,
  literal,
  logBytes,
  LogLevel,
  propertyPath,
  readBuffer,
  registerRoot,
  RootContext,
  sendLocalReply,
  setProperty,
  setShared,
  writeBuffer,
} from "as-proxy-wasm-sdk";

const OUT = new BytesWriter(4096);

class Phase {
  calls: Array<Array<string>> = [];
  answer: i32 = 0;
}

function phaseOf(json: Json): Phase {
  const phase = new Phase();
  const calls = json.get("calls").list();
  for (let i = 0; i < calls.length; i++) {
    const call = new Array<string>();
    const parts = calls.at(i).list();
    for (let j = 0; j < parts.length; j++) call.push(parts.at(j).string());
    phase.calls.push(call);
  }
  phase.answer = <i32>json.get("answer").integerOr(0, 0, 4);
  return phase;
}

class Script extends RootContext {
  requestHeaders: Phase = new Phase();
  requestBody: Phase = new Phase();
  responseHeaders: Phase = new Phase();
  responseBody: Phase = new Phase();
  log: Phase = new Phase();

  override onConfigure(configuration: Bytes): bool {
    const document = new JsonDocument(configuration, this.region);
    const root = document.root.object();
    this.requestHeaders = phaseOf(root.get("request_headers"));
    this.requestBody = phaseOf(root.get("request_body"));
    this.responseHeaders = phaseOf(root.get("response_headers"));
    this.responseBody = phaseOf(root.get("response_body"));
    this.log = phaseOf(root.get("log"));
    return document.ok ? true : this.reject(document.error);
  }

  override createHttpContext(): HttpContext {
    return new ScriptStream(this);
  }
}

function show(value: Bytes | null): void {
  if (value === null) OUT.text("none");
  else OUT.bytes(value);
  OUT.text(" status ").integer(lastStatus());
}

function showPairs(map: HeaderMap): void {
  const header = map.pairs().begin();
  while (header.next()) OUT.bytes(header.name).byte(0x3d).bytes(header.value).byte(0x2c);
  OUT.text(" status ").integer(lastStatus());
}

class ScriptStream extends HttpContext {
  constructor(private root: Script) {
    super();
  }

  private call(parts: Array<string>): void {
    const what = parts[0];
    const first = parts.length > 1 ? Bytes.of(parts[1]) : literal("");
    const second = parts.length > 2 ? Bytes.of(parts[2]) : literal("");
    const third = parts.length > 3 ? Bytes.of(parts[3]) : literal("");
    const number = <i32>first.toInteger(0);
    const map = new HeaderMap(number);
    if (what == "get") show(map.get(second));
    else if (what == "pairs") showPairs(map);
    else if (what == "add") OUT.integer(map.add(second, third));
    else if (what == "replace") OUT.integer(map.replace(second, third));
    else if (what == "remove") OUT.integer(map.remove(second));
    else if (what == "read") show(readBuffer(number, <u32>second.toInteger(0), <u32>third.toInteger(0)));
    else if (what == "length") OUT.integer(bufferLength(number)).text(" status ").integer(lastStatus());
    else if (what == "write")
      OUT.integer(writeBuffer(number, <u32>second.toInteger(0), <u32>third.toInteger(0), Bytes.of(parts[4])));
    else if (what == "property") show(getProperty(propertyPath(parts[1])));
    else if (what == "setProperty") OUT.integer(setProperty(first, second));
    else if (what == "share") OUT.integer(setShared(first, second));
    else if (what == "shared") show(getShared(first));
    else if (what == "continueRequest") OUT.integer(continueRequest());
    else if (what == "continueResponse") OUT.integer(continueResponse());
    else if (what == "reply") OUT.integer(sendLocalReply(<u32>number, second, third));
  }

  private run(name: string, phase: Phase): i32 {
    for (let i = 0; i < phase.calls.length; i++) {
      OUT.clear().text(name).byte(0x20).integer(i).text(": ").text(phase.calls[i].join(" ")).text(" -> ");
      this.call(phase.calls[i]);
      logBytes(LogLevel.Info, OUT.result);
    }
    return phase.answer;
  }

  override onRequestHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    return this.run("request headers", this.root.requestHeaders);
  }
  override onRequestBody(size: u32, endOfStream: bool): FilterDataStatus {
    return this.run(endOfStream ? "request body's end" : "request body", this.root.requestBody);
  }
  override onResponseHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    return this.run("response headers", this.root.responseHeaders);
  }
  override onResponseBody(size: u32, endOfStream: bool): FilterDataStatus {
    return this.run(endOfStream ? "response body's end" : "response body", this.root.responseBody);
  }
  override onLog(): void {
    this.run("log", this.root.log);
  }
}

registerRoot(() => new Script());
