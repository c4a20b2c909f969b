// Adds one header to every response: the smallest filter that does something. Configuration: {"name": "x-hello",
// "value": "world"}.
import {
  Bytes,
  EMPTY,
  FilterHeadersStatus,
  HttpContext,
  JsonDocument,
  registerRoot,
  responseHeaders,
  RootContext,
} from "as-proxy-wasm-sdk";

class AddHeader extends RootContext {
  name: Bytes = EMPTY;
  value: Bytes = EMPTY;

  override onConfigure(configuration: Bytes): bool {
    const document = new JsonDocument(configuration, this.region);
    const root = document.root.object().only(["name", "value"]);
    this.name = root.get("name").bytes();
    this.value = root.get("value").bytes();
    return document.ok ? true : this.reject(document.error);
  }

  override createHttpContext(): HttpContext {
    return new AddHeaderStream(this);
  }
}

class AddHeaderStream extends HttpContext {
  constructor(private root: AddHeader) {
    super();
  }

  override onResponseHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    responseHeaders.replace(this.root.name, this.root.value);
    return FilterHeadersStatus.Continue;
  }
}

registerRoot(() => new AddHeader());
