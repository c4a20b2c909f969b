// Calls every one of Envoy's foreign functions and replies with what came of it. Configuration: {"publicKey",
// "privateKey"} (PEM).
import {
  Bytes,
  BytesWriter,
  clearRouteCache,
  compress,
  declareProperty,
  EMPTY,
  Expression,
  FilterHeadersStatus,
  getBooleanProperty,
  getIntegerProperty,
  getProperty,
  HttpContext,
  JsonDocument,
  KeyForm,
  lastStatus,
  LifeSpan,
  literal,
  propertyPath,
  PropertyType,
  registerRoot,
  REQUEST_METHOD,
  RESPONSE_CODE,
  RootContext,
  sendLocalReply,
  setFilterState,
  setProperty,
  sign,
  signatureProblem,
  SOURCE_PORT,
  uncompress,
  verifySignature,
} from "as-proxy-wasm-sdk";

const OUT = new BytesWriter(4096);

function number(name: string, value: i64): void {
  OUT.text(name).byte(0x3d).integer(value).byte(0x0a);
}
function text(name: string, value: Bytes | null): void {
  OUT.text(name).byte(0x3d);
  if (value === null) OUT.text("(status ").integer(lastStatus()).byte(0x29);
  else OUT.bytes(value);
  OUT.byte(0x0a);
}

class Foreign extends RootContext {
  publicKey: Bytes = EMPTY;
  privateKey: Bytes = EMPTY;
  expression: Expression | null = null;
  declared: i64 = -1;
  declaredAgain: i64 = -1;
  broken: i64 = -1;

  override onConfigure(configuration: Bytes): bool {
    const document = new JsonDocument(configuration, this.region);
    const root = document.root.object().only(["publicKey", "privateKey"]);
    this.publicKey = root.get("publicKey").bytesOr(EMPTY);
    this.privateKey = root.get("privateKey").bytesOr(EMPTY);
    if (!document.ok) return this.reject(document.error);
    this.declared = declareProperty(literal("test.once"), PropertyType.String, LifeSpan.Request, true);
    this.declaredAgain = declareProperty(literal("test.once"), PropertyType.Bytes);
    this.expression = Expression.create(literal("request.path.startsWith('/admin')"));
    if (Expression.create(literal("request.path ==")) === null) this.broken = lastStatus();
    return true;
  }

  override createHttpContext(): HttpContext {
    return new ForeignStream(this);
  }
}

class ForeignStream extends HttpContext {
  constructor(private root: Foreign) {
    super();
  }

  private keys(): void {
    const signed = sign(literal("sha256"), this.root.privateKey, literal("hello"), KeyForm.Pem);
    number("signature", signed === null ? -1 : signed.length);
    if (signed !== null) {
      number(
        "verified",
        verifySignature(literal("sha256"), this.root.publicKey, signed, literal("hello"), KeyForm.Pem) ? 1 : 0,
      );
      number(
        "of another text",
        verifySignature(literal("sha256"), this.root.publicKey, signed, literal("HELLO"), KeyForm.Pem) ? 1 : 0,
      );
      number(
        "by another hash",
        verifySignature(literal("md99"), this.root.publicKey, signed, literal("hello"), KeyForm.Pem) ? 1 : 0,
      );
      number("has a reason", signatureProblem().isEmpty ? 0 : 1);
    }
    number(
      "with a key that is none",
      verifySignature(literal("sha256"), literal("nonsense"), literal("x"), literal("hello")) ? 1 : 0,
    );
    number("has a reason", signatureProblem().isEmpty ? 0 : 1);
    number("signed by none", sign(literal("sha256"), literal("nonsense"), literal("hello")) === null ? 0 : 1);
  }

  private state(): void {
    number("declared", this.root.declared);
    number("declared again", this.root.declaredAgain);
    number("set once", setProperty(literal("test.once"), literal("first")));
    number("set twice", setProperty(literal("test.once"), literal("second")));
    text("declared property", getProperty(propertyPath("test.once")));
    number("set what has no factory", setFilterState(literal("test.unknown"), literal("x")));
    number(
      "set a cluster",
      setFilterState(literal("envoy.tcp_proxy.cluster"), literal("some cluster"), LifeSpan.Request),
    );
  }

  /** The three outcomes of a property: a value, none, one of another type. */
  private outcomes(): void {
    number("port is there", getIntegerProperty(SOURCE_PORT, -1) > 0 ? lastStatus() : -1);
    number("absent", getIntegerProperty(RESPONSE_CODE, -1));
    number("status", lastStatus());
    number("of another type", getIntegerProperty(REQUEST_METHOD, -1));
    number("status", lastStatus());
    number("of another type", getBooleanProperty(REQUEST_METHOD, true) ? 1 : 0);
    number("status", lastStatus());
  }

  override onRequestHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    OUT.clear();
    const packed = compress(literal("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
    number("smaller", packed !== null && packed.length < 30 ? 1 : 0);
    text("uncompressed", packed === null ? null : uncompress(packed));
    text("uncompressed nonsense", uncompress(literal("nonsense")));
    number("route cache", clearRouteCache());
    this.keys();
    this.state();
    this.outcomes();
    number("broken expression", this.root.broken);
    const expression = this.root.expression;
    if (expression === null) number("no expression", 1);
    else number("admin", expression.evaluateBoolean() ? 1 : 0);
    sendLocalReply(200, literal("foreign"), OUT.result);
    return FilterHeadersStatus.StopIteration;
  }
}

registerRoot(() => new Foreign());
