// What commands print arrives whole, also in a pipe that is read slowly.
import { exitCodes } from "../../../controlplane/cli/exit-codes.ts";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { repository, scrim } from "../../support/mesh.ts";

/** What a command prints into a pipe whose reader takes its time; the reader stops after `chunks` when given. */
function readSlowly(
  args: readonly string[],
  chunks = Number.POSITIVE_INFINITY,
): Promise<{ readonly text: string; readonly exitCode: number | null }> {
  const child = spawn(process.execPath, [scrim, ...args], { stdio: ["ignore", "pipe", "ignore"] });
  let text = "";
  let read = 0;
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
    if (++read >= chunks) return void child.stdout.destroy();
    child.stdout.pause();
    setTimeout(() => child.stdout.resume(), 5);
  });
  return new Promise((resolve) => child.once("close", (exitCode) => resolve({ text, exitCode })));
}

const translate = [
  "translate",
  "-f",
  join(repository, "deploy/demo/bookinfo"),
  "--proxy",
  "default/productpage-v1",
  "-o",
  "json",
];

describe("output", () => {
  it("is whole in a pipe, however long it is", async () => {
    const { text, exitCode } = await readSlowly([...translate, "--type", "ecds"]);
    expect(text.length).toBeGreaterThan(200_000);
    expect((JSON.parse(text) as readonly object[]).length).toBeGreaterThan(0);
    expect(exitCode).toBe(0);
  });

  it("of translate without a type says of modules only how large they are", async () => {
    const { text } = await readSlowly(translate);
    expect(Object.keys(JSON.parse(text) as object)).toContain("listener");
    expect(text).toMatch(/\(a module of \d+ bytes\)/);
    expect(text).not.toContain("AGFzb");
  });

  it("of translate makes up no proxy for a name that nobody has", async () => {
    const misspelt = translate.map((word) => word.replace("productpage-v1", "productpge-v1"));
    expect(await readSlowly(misspelt)).toEqual({ text: "", exitCode: exitCodes["not-found"] });
  });

  it("of translate holds the plugins whose modules stand in files", async () => {
    const { text } = await readSlowly([...translate, "--type", "ecds"]);
    expect((JSON.parse(text) as { name: string }[]).map(({ name }) => name)).toContain(
      "extensions.istio.io/wasmplugin/default.stamp",
    );
  });

  it("ends quietly when nobody reads on", async () => {
    const { exitCode } = await readSlowly(translate, 1);
    expect(exitCode).toBe(0);
  });
});
