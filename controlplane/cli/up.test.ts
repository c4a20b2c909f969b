import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { loadText } from "../store/load.ts";
import { tellWhenSynced } from "./up.ts";

const servers: ReturnType<typeof createServer>[] = [];
afterEach(() => servers.splice(0).forEach((server) => server.close()));

/** What is told of a mesh whose control plane waits for these, after so long and at the end. */
async function toldOf(waiting: readonly object[]): Promise<readonly string[]> {
  const server = createServer(({ url }, response) =>
    response.end(url === "/synced" ? JSON.stringify({ waiting, unenforced: [] }) : "[]"),
  ).listen(0, "127.0.0.1");
  servers.push(server);
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  const told: string[] = [];
  const answers = [false, true];
  await tellWhenSynced(
    {
      admin: { address: "127.0.0.1", port },
      world: () => loadText("").world,
      waitUntilSynced: async () => answers.shift() ?? true,
    },
    { path: "", version: "1", source: "path" } as never,
    { terminal: { out: (text: string) => told.push(text.trim().split("\n")[0] ?? "") } as never },
    new AbortController().signal,
  );
  return told;
}

describe("a start that takes its time", () => {
  it("is told as what it is, and again when the mesh is up", async () => {
    expect(await toldOf([{ who: "web", why: "is not ready" }])).toEqual([
      "the mesh is started, but not everything is in sync",
      "the mesh is up",
    ]);
  });

  it("is told once where all came while people were being told", async () => {
    expect(await toldOf([])).toEqual(["the mesh is up"]);
  });
});
