import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createDiskNews, createKeptFile, type KeptFile } from "./kept-file.ts";

describe("a kept file", () => {
  let directory: string, path: string, content: string, said: string[], file: KeptFile;
  /** Each pause with what ends it. */
  let pauses: { readonly ms: number; readonly end: () => void }[];
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "scrim-kept-"));
    [path, content, said, pauses] = [join(directory, "in/kept.json"), "one", [], []];
    const sleep = (ms: number, signal: AbortSignal): Promise<void> =>
      new Promise((resolve, reject) => {
        pauses.push({ ms, end: resolve });
        if (signal.aborted) reject(signal.reason as Error);
        signal.addEventListener("abort", () => reject(signal.reason as Error));
      });
    file = createKeptFile({
      path,
      content: () => content,
      news: createDiskNews("/state", (sentence) => said.push(sentence)),
      sleep,
      quietMs: 100,
      againMs: 5_000,
    });
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  /** A file where the directory should be: nothing can be written, whoever asks. */
  const breakDisk = (): void => writeFileSync(join(directory, "in"), "");
  const mendDisk = (): void => {
    rmSync(join(directory, "in"));
    mkdirSync(join(directory, "in"));
  };
  const untilPauses = async (count: number): Promise<void> => {
    while (pauses.length < count) await new Promise((resolve) => setImmediate(resolve));
  };

  it("is written once for a burst of changes, as it is by then", async () => {
    file.changed();
    content = "two";
    file.changed();
    expect([pauses.map(({ ms }) => ms), existsSync(path)]).toEqual([[100], false]);
    await file.flush();
    expect([readFileSync(path, "utf8"), pauses.length, said]).toEqual(["two", 1, []]);
  });

  it("is tried again by itself until the disk takes it, and two sentences tell of that", async () => {
    breakDisk();
    file.changed();
    for (const [index, ms] of [100, 5_000, 5_000].entries()) {
      await untilPauses(index + 1);
      expect(pauses[index]?.ms).toBe(ms);
      if (index === 2) mendDisk();
      pauses[index]?.end();
    }
    while (said.length < 2) await new Promise((resolve) => setImmediate(resolve));
    expect(readFileSync(path, "utf8")).toBe("one");
    expect(said[0]).toMatch(
      /^The state directory \/state cannot be written \(.+\): proxies are served on, .+ make room there, or make it writable\.$/,
    );
    expect(said[1]).toBe("The state directory /state can be written again, and everything is kept.");
  });

  it("is written again for a change that comes just when it was written", async () => {
    let isChanged = false;
    const written = (): void => {
      if (isChanged) return;
      isChanged = true;
      // Two steps on: whoever wrote has seen that nothing is due, and has not said yet that it is done.
      queueMicrotask(() =>
        queueMicrotask(() => {
          content = "two";
          late.changed();
        }),
      );
    };
    const late = createKeptFile({
      path,
      content: () => content,
      news: { failed: () => undefined, written },
      sleep: async () => undefined,
      quietMs: 0,
    });
    late.changed();
    await vi.waitFor(() => expect(readFileSync(path, "utf8")).toBe("two"), { timeout: 10_000 });
  });

  it("keeps nobody from ending, and is written at the end when it could not be before", async () => {
    breakDisk();
    file.changed();
    await file.flush();
    expect(said.length).toBe(1);
    mendDisk();
    await file.flush();
    expect([readFileSync(path, "utf8"), readdirSync(join(directory, "in"))]).toEqual(["one", ["kept.json"]]);
  });
});
