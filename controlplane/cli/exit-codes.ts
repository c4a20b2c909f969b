import { ScrimError } from "../model/failure.ts";

/** What a process exits with when its command did what was asked. */
export const EXIT_OK = 0;

/** What the commands exit with for each code of failure; stable, and shown by `scrim --help`. */
export const exitCodes = {
  /** The command could not do what was asked. */
  failed: 1,
  /** Unknown command, option or argument. */
  usage: 2,
  /** The mesh, or a proxy's admin page, does not answer. */
  unreachable: 3,
  /** There is no such proxy or object. */
  "not-found": 4,
  /** The documents given are not valid. */
  invalid: 5,
} as const;

export type CommandCode = keyof typeof exitCodes;

/** The end of a command with a sentence for the user. */
export type CommandFailure = ScrimError<CommandCode>;

/** Returns the failure with which a command ends; it is thrown. */
export function commandFailure(code: CommandCode, message: string, options?: ErrorOptions): CommandFailure {
  return new ScrimError(code, message, options);
}

/**
 * Returns what a command exits with that ended in this error; other rooms' codes all mean that it could not be done.
 */
export function exitCodeOf({ code }: ScrimError): number {
  return Object.hasOwn(exitCodes, code) ? exitCodes[code as CommandCode] : exitCodes.failed;
}
