/** A mistake in how the host is used, or something it cannot do; never the module's fault. `code` is stable. */
export class HostError extends Error {
  readonly code: "MODULE_REFUSED" | "WRONG_ORDER" | "UNSUPPORTED" | "UNKNOWN_CALL" | "NOT_CLEAN";
  constructor(code: HostError["code"], message: string) {
    super(message);
    this.name = "HostError";
    this.code = code;
  }
}

/** Why something that a module may fail at did: `code` names the step, `message` is what Envoy says, or the module. */
export interface Failure<Code extends string> {
  readonly kind: "failed";
  readonly code: Code;
  readonly message: string;
}

/** Returns a failure. */
export function failed<Code extends string>(code: Code, message: string): Failure<Code> {
  return { kind: "failed", code, message };
}
