// consumes: CEL expressions of a configuration, over Envoy's attributes (https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/advanced/attributes)
// produces: their values for the current stream, as Envoy computes them
// never does: fail a request: what cannot be computed is absent
import { Bytes, BytesWriter, callForeign, literal } from "as-proxy-wasm-sdk";
import { Span, spanOf, ABSENT } from "../policy/bytes";

const CREATE = literal("expr_create");
const EVALUATE = literal("expr_evaluate");
const TRUE = literal("true");
const FALSE = literal("false");

/** An expression that Envoy has compiled. */
export class Expression {
  private readonly token: BytesWriter = new BytesWriter(16);

  constructor(token: u32) {
    this.token.u32(token);
  }

  /** Returns the value as text (texts as they are, whole numbers in decimal, true or false), or ABSENT. */
  evaluate(): Span {
    const value = callForeign(EVALUATE, this.token.result);
    if (value == null) return ABSENT;
    // The host answers with bytes alone: 8 of them with one that no text has are a number, a single 0 or 1 is a truth.
    if (value.length == 8 && hasControl(value)) return viewOfBytes(Bytes.ofInteger(load<i64>(value.ptr)));
    if (value.length == 1 && load<u8>(value.ptr) < 2) return viewOfBytes(load<u8>(value.ptr) == 1 ? TRUE : FALSE);
    return viewOfBytes(value);
  }
}

/** Returns the compiled expression, or null when Envoy does not understand it. */
export function compileExpression(text: string): Expression | null {
  const token = callForeign(CREATE, Bytes.of(text));
  return token == null || token.length != 4 ? null : new Expression(load<u32>(token.ptr));
}

function hasControl(value: Bytes): bool {
  for (let i = 0; i < value.length; i++) if (load<u8>(value.ptr + i) < 0x20) return true;
  return false;
}

function viewOfBytes(value: Bytes): Span {
  return spanOf(value.ptr, value.length);
}
