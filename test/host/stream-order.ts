import { HostError } from "./errors.ts";

/**
 * The order in which one direction of a stream comes: headers, body, trailers. What no proxy would send would test
 * nothing, so it is refused.
 */
export class StreamOrder {
  #hasHeaders = false;
  #isOver = false;
  readonly #side: "request" | "response";

  constructor(side: "request" | "response") {
    this.#side = side;
  }

  /** Takes the next part; throws a HostError (`WRONG_ORDER`) when it cannot come now. */
  take(part: "headers" | "body" | "trailers", isLast: boolean): void {
    const what = `the ${this.#side}'s ${part}`;
    if (part === "headers" && this.#hasHeaders) throw new HostError("WRONG_ORDER", `${what} have been sent already`);
    if (part !== "headers" && !this.#hasHeaders)
      throw new HostError("WRONG_ORDER", `${what} cannot come before its headers`);
    if (this.#isOver)
      throw new HostError(
        "WRONG_ORDER",
        `${what} cannot come: the ${this.#side} is over, say { endOfStream: false } of what came before`,
      );
    this.#hasHeaders = true;
    this.#isOver = isLast;
  }
}
