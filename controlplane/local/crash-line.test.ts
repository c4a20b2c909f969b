import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { crashLineOf } from "./crash-line.ts";

async function lineOf(text: string): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), "scrim-log-")), "app.log");
  await writeFile(file, text);
  return crashLineOf(file);
}

describe("what a log says of a crash", () => {
  it("is the error, not the place of it nor the runtime's parting word", async () => {
    const trace = "    at Module._compile (node:internal/modules/cjs/loader:1554:14)\n";
    expect(
      await lineOf(
        `listening\n/app/app.mjs:3\nthrow new TypeError("no port");\n^\n\nTypeError: no port\n${trace}\nNode.js v20.20.2\n`,
      ),
    ).toBe("TypeError: no port");
    expect(
      await lineOf(
        `Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'x'\n${trace}  code: 'ERR_MODULE_NOT_FOUND'\n}\n\nNode.js v20.20.2\n`,
      ),
    ).toBe("Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'x'");
    expect(await lineOf('Traceback (most recent call last):\n  File "a.py", line 1\nValueError: bad\n')).toBe(
      "ValueError: bad",
    );
    expect(await lineOf("panic: no port\n\ngoroutine 1 [running]:\nmain.main()\n")).toBe("panic: no port");
  });

  it("is the last line where none names an error, and nothing where there is none", async () => {
    expect(await lineOf("sh: 1: nodee: not found\n\n")).toBe("sh: 1: nodee: not found");
    expect(await lineOf("")).toBe("");
    expect(await crashLineOf("/nowhere/app.log")).toBe("");
  });
});
