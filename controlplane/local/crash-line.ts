import { open } from "node:fs/promises";

const TAIL_BYTES = 4_096;
const LONGEST = 200;

/** How runtimes begin the line that says what was wrong: `TypeError: …`, `java.io.IOException: …`, `panic: …`. */
const ERROR =
  /^(?:Uncaught |Exception in thread \S+ )?(?:[\w$]+[.:]{1,2})*(?:\w*(?:Error|Exception)|panic|fatal error)(?: \[\w+\])?:/;
/** What stands below the error and says nothing of it: places in the code, and Node's parting word. */
const BELOW = /^(?:at |Node\.js v|\.\.\. \d+ more|[{}]|code: )/;

/**
 * Returns what the end of a log says of a crash, at most 200 characters: the last line that names an error, else the
 * last that says something; "" when there is none. Never rejects.
 */
export async function crashLineOf(path: string): Promise<string> {
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
    const told = lines.filter((line) => !BELOW.test(line));
    return (told.findLast((line) => ERROR.test(line)) ?? told.at(-1) ?? lines.at(-1) ?? "").slice(0, LONGEST);
  } catch {
    return "";
  } finally {
    await file.close();
  }
}
