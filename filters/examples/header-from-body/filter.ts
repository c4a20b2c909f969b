// Gives upstream (and the routes that look at it) a field of the request's JSON body as a header: the request is held
// until its body is there. Configuration: {"field": "model", "header": "x-model"}. What a client sent under the header's
// name is taken away. Its manifest asks for allowOnHeadersStopIteration; without that the body would never come.
import {
  BufferType,
  Bytes,
  EMPTY,
  FilterDataStatus,
  FilterHeadersStatus,
  FilterTrailersStatus,
  HttpContext,
  JsonDocument,
  literal,
  readBuffer,
  registerRoot,
  requestHeaders,
  RootContext,
} from "as-proxy-wasm-sdk";

/** Of a larger body nothing is read: it goes on without the header. */
const MOST_BYTES: u32 = 512 << 10;
const CONTENT_LENGTH = literal("content-length");
const MOST_VALUE_BYTES = 256;

class HeaderFromBody extends RootContext {
  field: string = "";
  header: Bytes = EMPTY;

  override onConfigure(configuration: Bytes): bool {
    const document = new JsonDocument(configuration, this.region);
    const root = document.root.object().only(["field", "header"]);
    this.field = root.get("field").string();
    this.header = root.get("header").bytes();
    return document.ok ? true : this.reject(document.error);
  }

  override createHttpContext(): HttpContext {
    return new HeaderFromBodyStream(this);
  }
}

class HeaderFromBodyStream extends HttpContext {
  private size: u32 = 0;
  private goesOn: bool = false;

  constructor(private root: HeaderFromBody) {
    super();
  }

  override onStart(): void {
    this.size = 0;
  }

  override onRequestHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    requestHeaders.remove(this.root.header);
    // Envoy answers 413 where more than 1 MiB is held, and the next piece may be as large as that.
    this.goesOn = endOfStream || isLarge(requestHeaders.get(CONTENT_LENGTH));
    return this.goesOn ? FilterHeadersStatus.Continue : FilterHeadersStatus.StopIteration;
  }

  override onRequestBody(size: u32, endOfStream: bool): FilterDataStatus {
    this.size = size;
    if (size > MOST_BYTES) this.goesOn = true;
    if (this.goesOn) return FilterDataStatus.Continue;
    if (!endOfStream) return FilterDataStatus.StopIterationAndBuffer;
    this.tell();
    return FilterDataStatus.Continue;
  }

  override onRequestTrailers(trailers: u32): FilterTrailersStatus {
    if (!this.goesOn) this.tell();
    return FilterTrailersStatus.Continue;
  }

  private tell(): void {
    const body = readBuffer(BufferType.HttpRequestBody, 0, this.size);
    const document = new JsonDocument(body, this.root.region);
    const root = document.root;
    if (!root.isObject) return;
    const value = root.get(this.root.field);
    if (value.isString && isHeaderValue(value.text)) requestHeaders.replace(this.root.header, value.text);
  }
}

/** Envoy has seen to it that a length is a number. */
function isLarge(length: Bytes | null): bool {
  let bytes: u64 = 0;
  if (length !== null) for (let i = 0; i < length.length && i < 19; i++) bytes = bytes * 10 + (length.at(i) - 0x30);
  return bytes > MOST_BYTES;
}

/** A client chose the text: a line break in it would be a header of its own. */
function isHeaderValue(text: Bytes): bool {
  if (text.length == 0 || text.length > MOST_VALUE_BYTES) return false;
  for (let i = 0; i < text.length; i++) if (text.at(i) < 0x21 || text.at(i) > 0x7e) return false;
  return true;
}

registerRoot(() => new HeaderFromBody());
