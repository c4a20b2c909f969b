/** What the commands exit with; stable, and shown by `scrim --help`. */
export const exitCodes = {
  ok: 0,
  /** The command could not do what was asked. */
  failed: 1,
  /** Unknown command, option or argument. */
  usage: 2,
  /** The mesh, or a proxy's admin page, does not answer. */
  unreachable: 3,
  /** There is no such proxy or object. */
  notFound: 4,
  /** The documents given are not valid. */
  invalid: 5,
} as const;

/** The end of a command with a sentence for the user. */
export class CommandFailure extends Error {
  readonly exitCode: number;

  constructor(exitCode: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "CommandFailure";
    this.exitCode = exitCode;
  }
}
