// Reading a file so that no half of one version and half of another is ever seen.
import { open } from "node:fs/promises";
import { type Failure, failed } from "../../model/failure.ts";
import { MAX_TEXT_LENGTH } from "../../model/yaml.ts";
import { type FileSignature, isMissing, reasonOf, signatureOf } from "./scan.ts";

/** A file's text, with what the file looked like then. */
export interface StableText {
  readonly text: string;
  readonly signature: FileSignature;
}

/** What came of reading a file. */
export type StableRead =
  | ({ readonly kind: "read" } & StableText)
  /** It was written to while it was read, or is gone: look again. */
  | { readonly kind: "unstable" }
  | Failure<"too-large" | "not-text" | "unreadable">;

/** Returns the file's text if it stayed the same from before the reading to after it. */
export async function readStable(path: string): Promise<StableRead> {
  try {
    const handle = await open(path, "r");
    try {
      const before = await handle.stat({ bigint: true });
      const signature = signatureOf(before);
      // Four bytes a character at most: larger files cannot be within the limit, and are not even read.
      if (before.size > BigInt(4 * MAX_TEXT_LENGTH)) return failed("too-large", "is too large");
      const bytes = await handle.readFile();
      if (signatureOf(await handle.stat({ bigint: true })) !== signature) return { kind: "unstable" };
      const text = decode(bytes);
      return text === undefined ? failed("not-text", "is not UTF-8 text") : { kind: "read", text, signature };
    } finally {
      await handle.close();
    }
  } catch (error) {
    return isMissing(error) ? { kind: "unstable" } : failed("unreadable", `cannot be read (${reasonOf(error)})`);
  }
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(bytes);
  } catch {
    return undefined;
  }
}
