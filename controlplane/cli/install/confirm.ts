import { createInterface } from "node:readline/promises";
import type { Terminal } from "../terminal.ts";
import { commandFailure } from "../exit-codes.ts";

/** By which a person says yes ahead. */
export interface ConfirmOptions {
  readonly yes?: boolean;
  readonly skipConfirmation?: boolean;
}

/** Resolves when a person says yes to what is about to happen, or `-y` has said it. Throws CommandFailure otherwise. */
export async function confirm(
  what: string,
  { yes, skipConfirmation }: ConfirmOptions,
  terminal: Terminal,
): Promise<void> {
  if (yes === true || skipConfirmation === true) return;
  if (!process.stdin.isTTY)
    throw commandFailure("usage", `${what} Nothing was changed, since nobody is here to be asked: -y goes on.`);
  terminal.err(`${what} Go on? (y/N) `);
  const lines = createInterface({ input: process.stdin });
  const answer = await lines.question("");
  lines.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw commandFailure("failed", "Nothing was changed.");
}
