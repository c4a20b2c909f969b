import { expect, it } from "vitest";
import { createNamedFiles } from "./named-files.ts";

it("tells once of each refusal of which a file became another", async () => {
  const disk = new Map<string, string>();
  const files = createNamedFiles<string>(async (path) => disk.get(path) ?? "none");
  await files.follow("ca", "Invalid path: /certs/ca.pem");
  await files.follow("log", "unable to open file '/var/log/mesh/access.log': No such file or directory");
  await files.follow("chain", "Failed to load certificate chain from /certs/chain.pem, please see log");
  await files.follow("none", "missing ): (");
  const changed = async () => (await files.changed()).map(({ refusal, paths }) => [refusal, ...paths]);
  expect(await changed()).toEqual([]);
  disk.set("/certs/ca.pem", "there");
  expect(await changed()).toEqual([["ca", "/certs/ca.pem"]]);
  expect(await changed()).toEqual([]);
  // A log file is made by who writes it: what counts is its folder.
  disk.set("/var/log/mesh", "there");
  expect(await changed()).toEqual([["log", "/var/log/mesh/access.log"]]);
  files.forget("chain");
  disk.set("/certs/chain.pem", "there");
  expect(await changed()).toEqual([]);
});
