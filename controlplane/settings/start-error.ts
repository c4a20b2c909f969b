/** A start that cannot go on; the message is one sentence for the user. */
export class StartError extends Error {
  readonly code = "START_REFUSED";

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "StartError";
  }
}
