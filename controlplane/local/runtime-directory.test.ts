import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createRuntimeDirectory } from "./runtime-directory.ts";
import { lockStateDir } from "./state-dir.ts";
import { podOf } from "./testing-world.ts";

let directory = "";
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "scrim-state-"))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe("createRuntimeDirectory", () => {
  it("writes pods and identities for their owner only, with a revision that rises", async () => {
    const runtime = await createRuntimeDirectory(directory, () => [
      { pod: podOf(), ready: true, deletionTimestamp: undefined, envoyPid: undefined },
    ]);
    const [first, second] = [await runtime.publish(), await runtime.publish()];
    expect(second).toBeGreaterThan(first);
    expect(readdirSync(runtime.path).sort()).toEqual(["identities.json", "pods.yaml"]);
    expect(statSync(join(runtime.path, "identities.json")).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(runtime.path, "pods.yaml"), "utf8")).toContain(`revision: "${second}"`);
  });

  it("merges writes that wait, and the last of them has seen the last change", async () => {
    let ready = false;
    const runtime = await createRuntimeDirectory(directory, () => [
      { pod: podOf(), ready, deletionTimestamp: undefined, envoyPid: undefined },
    ]);
    const first = runtime.publish();
    ready = true;
    const later = await Promise.all([runtime.publish(), runtime.publish(), runtime.publish()]);
    expect(new Set(later).size).toBe(1);
    expect(later[0]).toBe((await first) + 1);
    expect(readFileSync(join(runtime.path, "pods.yaml"), "utf8")).toContain('status: "True"');
  });
});

describe("lockStateDir", () => {
  it("lets one mesh in at a time and names the process that is in", async () => {
    const state = join(directory, "state");
    const first = await lockStateDir(state);
    expect(first.kind).toBe("locked");
    expect(statSync(state).mode & 0o777).toBe(0o700);
    expect(await lockStateDir(state)).toMatchObject({
      kind: "failed",
      message: expect.stringContaining(`process ${process.pid}`),
    });
    if (first.kind === "locked") await first.release();
    expect((await lockStateDir(state)).kind).toBe("locked");
  });

  it("takes over the lock of a process that is gone, even if its id lives again", async () => {
    writeFileSync(join(directory, "lock"), "999999999 1\n");
    expect((await lockStateDir(directory)).kind).toBe("locked");
    writeFileSync(join(directory, "lock"), `${process.pid} 1\n`);
    expect((await lockStateDir(directory)).kind).toBe("locked");
  });

  it("says what to do when the directory cannot be made", async () => {
    writeFileSync(join(directory, "file"), "");
    expect(await lockStateDir(join(directory, "file", "state"))).toMatchObject({
      kind: "failed",
      message: expect.stringContaining("--state-dir"),
    });
  });
});
