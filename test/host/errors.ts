/** A mistake in how the host is used, or something it cannot do; never the module's fault. `code` is stable. */
export class HostError extends Error {
  readonly code: "MODULE_REFUSED" | "WRONG_ORDER" | "UNSUPPORTED" | "UNKNOWN_CALL" | "NOT_CLEAN";
  constructor(code: HostError["code"], message: string) {
    super(message);
    this.name = "HostError";
    this.code = code;
  }
}
