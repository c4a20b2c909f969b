// Replaces a text in responses' bodies while they stream, also where it falls apart into two pieces; the length may
// change. Configuration: {"find": "Istio", "replace": "Scrim"}.
//
// What may be the beginning of the text is held until the next piece says. Compressed bodies are left alone, and gRPC,
// because bytes that are held when trailers come could not be sent any more.
import {
  BufferType,
  Bytes,
  BytesWriter,
  EMPTY,
  FilterDataStatus,
  FilterHeadersStatus,
  HttpContext,
  JsonDocument,
  literal,
  readBuffer,
  registerRoot,
  responseHeaders,
  RootContext,
  writeBuffer,
} from "as-proxy-wasm-sdk";

const WORK = new BytesWriter(65536); // one per module: callbacks do not overlap
const OUT = new BytesWriter(65536);
const MOST_FIND = 256;

class ReplaceText extends RootContext {
  find: Bytes = EMPTY;
  replace: Bytes = EMPTY;

  override onConfigure(configuration: Bytes): bool {
    const document = new JsonDocument(configuration, this.region);
    const root = document.root.object().only(["find", "replace"]);
    this.find = root.get("find").bytes();
    this.replace = root.get("replace").bytes();
    if (document.ok && (this.find.isEmpty || this.find.length > MOST_FIND)) root.get("find").fail("1 to 256 bytes");
    return document.ok ? true : this.reject(document.error);
  }

  override createHttpContext(): HttpContext {
    return new ReplaceTextStream(this);
  }
}

class ReplaceTextStream extends HttpContext {
  private isActive: bool = false;
  /** What is held; never as long as the text itself. */
  private held: StaticArray<u8> = new StaticArray<u8>(MOST_FIND);
  private heldLength: i32 = 0;

  constructor(private root: ReplaceText) {
    super();
  }

  override onStart(): void {
    this.isActive = false;
    this.heldLength = 0;
  }

  override onResponseHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    const pairs = responseHeaders.pairs();
    const type = pairs.first(literal("content-type"));
    if (endOfStream || pairs.first(literal("content-encoding")) !== null) return FilterHeadersStatus.Continue;
    if (type !== null && type.startsWith(literal("application/grpc"))) return FilterHeadersStatus.Continue;
    this.isActive = true;
    responseHeaders.remove(literal("content-length")); // Envoy sends the body in chunks instead
    return FilterHeadersStatus.Continue;
  }

  override onResponseBody(size: u32, endOfStream: bool): FilterDataStatus {
    if (!this.isActive) return FilterDataStatus.Continue;
    WORK.clear().bytes(Bytes.view(changetype<usize>(this.held), this.heldLength));
    if (size > 0) WORK.bytes(readBuffer(BufferType.HttpResponseBody, 0, size));
    this.rewrite(WORK.result, endOfStream);
    writeBuffer(BufferType.HttpResponseBody, 0, size, OUT.result);
    return FilterDataStatus.Continue;
  }

  /** Puts what can be sent of `text` into OUT, and holds the rest. */
  private rewrite(text: Bytes, isLast: bool): void {
    const find = this.root.find;
    OUT.clear();
    let from = 0;
    for (let at = text.indexOfBytes(find); at >= 0; at = text.indexOfBytes(find, from)) {
      OUT.bytes(text.slice(from, at)).bytes(this.root.replace);
      from = at + find.length;
    }
    const rest = text.slice(from);
    const hold = isLast ? 0 : longestBeginning(rest, find);
    OUT.bytes(rest.slice(0, rest.length - hold));
    memory.copy(changetype<usize>(this.held), rest.ptr + rest.length - hold, hold);
    this.heldLength = hold;
  }
}

/** How many bytes at the end of `text` could be the beginning of `find`. */
function longestBeginning(text: Bytes, find: Bytes): i32 {
  for (let n = min(find.length - 1, text.length); n > 0; n--)
    if (find.startsWith(text.slice(text.length - n))) return n;
  return 0;
}

registerRoot(() => new ReplaceText());
