import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeExit, startChild } from "./child-process.ts";

const directory = mkdtempSync(join(tmpdir(), "scrim-child-"));
const module = join(directory, "child-process.mjs");

beforeAll(async () => {
  await build({
    entryPoints: [fileURLToPath(new URL("child-process.ts", import.meta.url))],
    outfile: module,
    bundle: true,
    platform: "node",
    format: "esm",
    logLevel: "error",
  });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const shell = (script: string, log: string) =>
  startChild({
    command: "/bin/sh",
    args: ["-c", script],
    cwd: directory,
    env: { PATH: process.env["PATH"] ?? "" },
    stdout: join(directory, log),
    stderr: join(directory, log),
  });

/** Zombies count as gone: who reaps them is the machine's business. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 20_000; !holds(); ) {
    if (Date.now() > deadline) throw new Error(`${what}: not seen`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function pidIn(file: string): number {
  return existsSync(join(directory, file)) ? Number(readFileSync(join(directory, file), "utf8").trim()) : 0;
}

describe("startChild", () => {
  it("tells how the process ended and keeps what it printed", async () => {
    const exit = await shell("echo hello; exit 3", "a.log").exited;
    expect(exit).toMatchObject({ code: 3, signal: null });
    expect(describeExit(exit)).toBe("exited with code 3");
    expect(readFileSync(join(directory, "a.log"), "utf8")).toBe("hello\n");
  });

  it("ends grandchildren with the process", async () => {
    const child = shell("sleep 300 & echo $! > grand.pid; wait", "b.log");
    await until("the grandchild", () => pidIn("grand.pid") > 0);
    await child.stop(5_000);
    await until("its end", () => !isRunning(pidIn("grand.pid")));
  });

  it("ends by force what does not end when asked", async () => {
    const child = shell("trap '' TERM; echo $$ > stubborn.pid; while true; do sleep 0.1; done", "c.log");
    await until("the start", () => pidIn("stubborn.pid") > 0);
    expect(await child.stop(200)).toMatchObject({ signal: "SIGKILL" });
  });

  it("ends everything when the parent is killed by force", async () => {
    const log = join(directory, "d.log");
    const orphan = {
      command: "/bin/sh",
      args: ["-c", "trap '' TERM; echo $$ > orphan.pid; sleep 300 & echo $! > orphan-child.pid; wait"],
      cwd: directory,
      stdout: log,
      stderr: log,
    };
    const script = `import { startChild } from ${JSON.stringify(module)};
      startChild({ ...${JSON.stringify(orphan)}, env: process.env });
      setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: "ignore" });
    await until("the processes", () => pidIn("orphan.pid") > 0 && pidIn("orphan-child.pid") > 0);
    parent.kill("SIGKILL");
    await until("their end", () => !isRunning(pidIn("orphan.pid")) && !isRunning(pidIn("orphan-child.pid")));
  });

  it("says when a process cannot be started", async () => {
    const exit = await startChild({
      command: "/nonexistent",
      args: [],
      cwd: directory,
      env: {},
      stdout: join(directory, "e.log"),
      stderr: join(directory, "e.log"),
    }).exited;
    expect(exit.code).toBe(127);
  });
});
