import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { endedPrograms, whyNoNode } from "./why-no-node.mjs";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "scrim-node-"));
  mkdirSync(join(folder, "log"));
  writeFileSync(join(folder, "log/node.log"), "");
  const lines = Array.from({ length: 20 }, (_, index) => `line ${index}`);
  writeFileSync(join(folder, "log/etcd.log"), [...lines, "panic: no space left on device", ""].join("\n"));
  writeFileSync(join(folder, "log/kubelet.log"), "no API server yet\n");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it("tells the end of the log of what ended, not of what only waits for it", () => {
  writeFileSync(join(folder, "ended"), "etcd\n");
  expect(endedPrograms(folder)).toEqual(["etcd"]);
  const told = whyNoNode(folder);
  expect(told).toMatch(/^\netcd\.log ends with:\n/);
  expect(told).toMatch(/\n {2}panic: no space left on device$/);
  expect(told).not.toContain("line 3\n");
  expect(told).not.toContain("kubelet");
});

it("tells the end of every log that says something where nothing ended", () => {
  expect(endedPrograms(folder)).toEqual([]);
  const told = whyNoNode(folder);
  expect(told).toContain("panic: no space left on device");
  expect(told).toContain("kubelet.log ends with:\n  no API server yet");
  expect(told).not.toContain("node.log");
});

it("says nothing of a node whose folder is gone", () => {
  rmSync(folder, { recursive: true });
  expect(whyNoNode(folder)).toBe("");
});
