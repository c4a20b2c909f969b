import { open } from "node:fs/promises";

const TAIL_BYTES = 4_096;
const LONGEST = 200;

/**
 * Returns the last line of a file that says something, at most 200 characters; "" when there is none. Never rejects.
 */
export async function lastLineOf(path: string): Promise<string> {
  const file = await open(path, "r").catch(() => undefined);
  if (file === undefined) return "";
  try {
    const { size } = await file.stat();
    const { buffer, bytesRead } = await file.read(
      Buffer.alloc(TAIL_BYTES),
      0,
      TAIL_BYTES,
      Math.max(0, size - TAIL_BYTES),
    );
    const lines = buffer
      .subarray(0, bytesRead)
      .toString("utf8")
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "");
    return (lines.at(-1) ?? "").slice(0, LONGEST);
  } catch {
    return "";
  } finally {
    await file.close();
  }
}
