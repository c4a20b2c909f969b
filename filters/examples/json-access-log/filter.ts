// Logs one line of JSON per request at info level. Configuration: {"headers": ["user-agent"]}: request headers to add.
import {
  Bytes,
  BytesWriter,
  getIntegerProperty,
  HttpContext,
  JsonDocument,
  literal,
  logBytes,
  LogLevel,
  REQUEST_DURATION,
  registerRoot,
  requestHeaders,
  RESPONSE_CODE,
  RootContext,
} from "as-proxy-wasm-sdk";

const LINE = new BytesWriter(1024); // one per module: callbacks do not overlap
const HEX = literal("0123456789abcdef");

/** Appends `value` as a JSON string. Bytes outside ASCII are read as Latin-1, so that any header makes valid JSON. */
function putString(value: Bytes): void {
  LINE.byte(0x22);
  for (let i = 0; i < value.length; i++) {
    const byte = value.at(i);
    if (byte == 0x22 || byte == 0x5c) LINE.byte(0x5c).byte(byte);
    else if (byte >= 0x20 && byte < 0x7f) LINE.byte(byte);
    else
      LINE.text("\\u00")
        .byte(HEX.at(byte >> 4))
        .byte(HEX.at(byte & 15));
  }
  LINE.byte(0x22);
}

function putHeader(name: Bytes, key: Bytes): void {
  putString(key);
  LINE.byte(0x3a);
  const value = requestHeaders.get(name);
  if (value === null) LINE.text("null,");
  else {
    putString(value);
    LINE.byte(0x2c);
  }
}

class JsonAccessLog extends RootContext {
  headers: Array<Bytes> = [];

  override onConfigure(configuration: Bytes): bool {
    const document = new JsonDocument(configuration, this.region);
    const list = document.root.object().only(["headers"]).get("headers").list();
    for (let i = 0; i < list.length; i++) this.headers.push(list.at(i).bytes());
    return document.ok ? true : this.reject(document.error);
  }

  override createHttpContext(): HttpContext {
    return new JsonAccessLogStream(this);
  }
}

class JsonAccessLogStream extends HttpContext {
  constructor(private root: JsonAccessLog) {
    super();
  }

  override onLog(): void {
    LINE.clear().byte(0x7b);
    putHeader(literal(":method"), literal("method"));
    putHeader(literal(":path"), literal("path"));
    const headers = this.root.headers;
    for (let i = 0; i < headers.length; i++) putHeader(headers[i], headers[i]);
    LINE.text('"status":')
      .integer(getIntegerProperty(RESPONSE_CODE))
      .text(',"durationMs":')
      .integer(getIntegerProperty(REQUEST_DURATION) / 1000000)
      .byte(0x7d);
    logBytes(LogLevel.Info, LINE.result);
  }
}

registerRoot(() => new JsonAccessLog());
