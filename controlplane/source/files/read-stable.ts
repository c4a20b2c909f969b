// Reading a file so that no half of one version and half of another is ever seen.
import { open } from "node:fs/promises";
import { MAX_TEXT_LENGTH } from "../../model/yaml.ts";
import { type FileSignature, isMissing, reasonOf, signatureOf } from "./scan.ts";

/** A file's text, with what the file looked like then. */
export interface StableText {
  readonly text: string;
  readonly signature: FileSignature;
}

/** What came of reading a file. */
export type StableRead =
  | ({ readonly outcome: "read" } & StableText)
  /** It was written to while it was read, or is gone: look again. */
  | { readonly outcome: "unstable" }
  | { readonly outcome: "failed"; readonly reason: string; readonly signature: FileSignature | undefined };

/** Returns the file's text if it stayed the same from before the reading to after it. */
export async function readStable(path: string): Promise<StableRead> {
  try {
    const handle = await open(path, "r");
    try {
      const before = await handle.stat({ bigint: true });
      const signature = signatureOf(before);
      // Four bytes a character at most: larger files cannot be within the limit, and are not even read.
      if (before.size > BigInt(4 * MAX_TEXT_LENGTH)) return { outcome: "failed", reason: "is too large", signature };
      const bytes = await handle.readFile();
      if (signatureOf(await handle.stat({ bigint: true })) !== signature) return { outcome: "unstable" };
      const text = decode(bytes);
      return text === undefined
        ? { outcome: "failed", reason: "is not UTF-8 text", signature }
        : { outcome: "read", text, signature };
    } finally {
      await handle.close();
    }
  } catch (error) {
    return isMissing(error)
      ? { outcome: "unstable" }
      : { outcome: "failed", reason: `cannot be read (${reasonOf(error)})`, signature: undefined };
  }
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    return undefined;
  }
}
