// Credentials for proxies of a control plane that runs alone: whoever may write its state directory may give them out.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { replaceFile } from "../disk/replace-file.ts";
import { commandFailure } from "./exit-codes.ts";

/** Whom a token proves. */
export interface TokenHolder {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly pod: string;
}

interface Entry extends TokenHolder {
  readonly tokenSha256: string;
}

/**
 * Adds the token's hash to the identities file at `path`; an earlier token of the same pod counts no more. Fails with a
 * sentence.
 */
export async function issueToken(path: string, token: string, holder: TokenHolder): Promise<void> {
  const others = (await readEntries(path)).filter(
    ({ namespace, pod }) => namespace !== holder.namespace || pod !== holder.pod,
  );
  const entry: Entry = { tokenSha256: createHash("sha256").update(token).digest("hex"), ...holder };
  try {
    await replaceFile(path, `${JSON.stringify([...others, entry], null, 1)}\n`);
  } catch (error) {
    throw commandFailure(
      "failed",
      `${path} cannot be written: start the control plane with \`scrim serve\` first, and name its --state-dir.`,
      { cause: error },
    );
  }
}

async function readEntries(path: string): Promise<readonly Entry[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch {
    return [];
  }
  try {
    return JSON.parse(text) as Entry[];
  } catch (error) {
    throw commandFailure(
      "failed",
      `${path} is not a list of identities: correct it, or remove it and give every proxy a new token.`,
      { cause: error },
    );
  }
}
