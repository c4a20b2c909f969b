// Shows what the host tells a filter: the properties that the configuration names, and header pairs, as lines of text
// with everything but printable ASCII in hexadecimal. In the phase "request" as a local reply, else in the log. For
// comparing hosts.
import {
  Bytes,
  BytesWriter,
  FilterHeadersStatus,
  getProperty,
  HeaderMap,
  HttpContext,
  JsonDocument,
  lastStatus,
  literal,
  logBytes,
  LogLevel,
  registerRoot,
  requestHeaders,
  responseHeaders,
  RootContext,
  sendLocalReply,
  propertyPath,
} from "as-proxy-wasm-sdk";

const OUT = new BytesWriter(16384);
const HEX = literal("0123456789abcdef");

function put(value: Bytes): void {
  for (let i = 0; i < value.length; i++) {
    const byte = value.at(i);
    if (byte >= 0x20 && byte < 0x7f && byte != 0x5c) OUT.byte(byte);
    else
      OUT.byte(0x5c)
        .byte(HEX.at(byte >> 4))
        .byte(HEX.at(byte & 15));
  }
}

class Mirror extends RootContext {
  phase: string = "";
  properties: Array<string> = [];
  headers: bool = false;

  override onConfigure(configuration: Bytes): bool {
    const document = new JsonDocument(configuration, this.region);
    const root = document.root.object().only(["phase", "properties", "headers"]);
    this.phase = root.get("phase").string();
    this.headers = root.get("headers").booleanOr(false);
    const list = root.get("properties").list();
    for (let i = 0; i < list.length; i++) this.properties.push(list.at(i).string());
    return document.ok ? true : this.reject(document.error);
  }

  override createHttpContext(): HttpContext {
    return new MirrorStream(this);
  }
}

class MirrorStream extends HttpContext {
  constructor(private root: Mirror) {
    super();
  }

  private look(): void {
    OUT.clear();
    const properties = this.root.properties;
    for (let i = 0; i < properties.length; i++) {
      OUT.text(properties[i]).byte(0x3d);
      const value = getProperty(propertyPath(properties[i]));
      if (value === null) OUT.text("(status ").integer(lastStatus()).byte(0x29);
      else put(value);
      this.end();
    }
    if (this.root.headers) {
      this.list(requestHeaders);
      if (this.root.phase != "request") this.list(responseHeaders);
    }
  }

  /** Ends a line: in the reply's body, or as a message of its own. */
  private end(): void {
    if (this.root.phase == "request") {
      OUT.byte(0x0a);
      return;
    }
    logBytes(LogLevel.Info, OUT.result);
    OUT.clear();
  }

  private list(map: HeaderMap): void {
    const header = map.pairs().begin();
    while (header.next()) {
      put(header.name);
      OUT.text(": ");
      put(header.value);
      this.end();
    }
  }

  override onRequestHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    if (this.root.phase != "request") return FilterHeadersStatus.Continue;
    this.look();
    sendLocalReply(200, literal("mirror"), OUT.result);
    return FilterHeadersStatus.StopIteration;
  }

  override onResponseHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    if (this.root.phase == "response") this.look();
    return FilterHeadersStatus.Continue;
  }

  override onLog(): void {
    if (this.root.phase == "log") this.look();
  }
}

registerRoot(() => new Mirror());
