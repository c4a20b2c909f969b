// How the house speaks of what did not work. Two words, and no third:
//   an expected failure is a value, one variant of what a function returns, told apart by `kind: "failed"`;
//   a fault of I/O that nobody there can answer, or a bug, is thrown as a ScrimError.
// Both carry a `code` that programs may go by and a `message` for people.

/**
 * Why something that may fail did: `code` never changes its meaning, `message` is a clause or a sentence for people.
 */
export interface Failure<Code extends string = string> {
  readonly kind: "failed";
  readonly code: Code;
  readonly message: string;
}

/** Returns a failure, to be handed back where a result was expected: `return failed("too-large", "…")`. */
export function failed<Code extends string>(code: Code, message: string): Failure<Code> {
  return { kind: "failed", code, message };
}

/** Whether a result is its failure. */
export function isFailed<R extends object>(result: R): result is Extract<R, Failure> {
  return "kind" in result && result.kind === "failed";
}

/** The one class of errors that the control plane throws itself; `cause`: what it was made from, where there is one. */
export class ScrimError<Code extends string = string> extends Error {
  override readonly name = "ScrimError";

  constructor(
    readonly code: Code,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
