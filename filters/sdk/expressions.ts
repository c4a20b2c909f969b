import { Status } from "./abi/status";
import { Bytes } from "./bytes";
import { callForeign, runForeign } from "./foreign";
import { literal } from "./literal";

/**
 * A CEL expression that Envoy compiled for this root. Compile while configuring, evaluate in streams, delete when the
 * root ends: `const admin = Expression.create(literal("request.path.startsWith('/admin')"))`.
 */
// @ts-ignore: decorator
@final
export class Expression {
  private argument: StaticArray<u32> = new StaticArray<u32>(1);
  private view: StaticArray<usize> = new StaticArray<usize>(2);

  private constructor(token: u32) {
    this.argument[0] = token;
  }

  /**
   * Compiles `text`; null if Envoy cannot (`lastStatus()`: BadArgument for a mistake, which Envoy logs at info level;
   * NotFound where it has no CEL).
   */
  static create(text: Bytes): Expression | null {
    const token = callForeign(literal("expr_create"), text);
    return token === null || token.length != 4 ? null : new Expression(load<u32>(token.ptr));
  }

  /**
   * The value for the stream at hand, serialized as properties are (a boolean is one byte), valid until the callback
   * ends; null if it has none (`lastStatus()`: InternalFailure, for example for an attribute that is absent).
   */
  evaluate(): Bytes | null {
    return callForeign(literal("expr_evaluate"), this.token());
  }

  /** The value of a boolean expression; `otherwise` if there is none or it is no boolean. */
  evaluateBoolean(otherwise: bool = false): bool {
    const value = this.evaluate();
    return value !== null && value.length == 1 ? value.at(0) != 0 : otherwise;
  }

  /** Frees it in Envoy. */
  delete(): Status {
    return runForeign(literal("expr_delete"), this.token());
  }

  private token(): Bytes {
    return Bytes.place(changetype<usize>(this.view), changetype<usize>(this.argument), 4);
  }
}
