// consumes: what Envoy answers for a CEL expression: bytes alone
// produces: the value as text
// never does: fail a request: what cannot be computed is absent
import { Bytes, Expression, literal } from "as-proxy-wasm-sdk";
import { ABSENT, Span, spanOf } from "../policy/bytes";

const TRUE = literal("true");
const FALSE = literal("false");

/**
 * Returns an expression's value for the current stream (texts as they are, whole numbers in decimal, true or false), or
 * ABSENT.
 */
export function evaluateText(expression: Expression): Span {
  const value = expression.evaluate();
  if (value == null) return ABSENT;
  // 8 bytes with one that no text has are a number, a single 0 or 1 is a truth.
  if (value.length == 8 && hasControl(value)) return viewOfBytes(Bytes.ofInteger(load<i64>(value.ptr)));
  if (value.length == 1 && load<u8>(value.ptr) < 2) return viewOfBytes(load<u8>(value.ptr) == 1 ? TRUE : FALSE);
  return viewOfBytes(value);
}

function hasControl(value: Bytes): bool {
  for (let i = 0; i < value.length; i++) if (load<u8>(value.ptr + i) < 0x20) return true;
  return false;
}

function viewOfBytes(value: Bytes): Span {
  return spanOf(value.ptr, value.length);
}
