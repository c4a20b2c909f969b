import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { withFileLock } from "../../controlplane/disk/file-lock.mjs";
import {
  isSupportedEnvoy,
  locateEnvoy,
  parseEnvoyVersion,
  pinnedEnvoyPath,
} from "../../controlplane/envoy/install.mjs";
import { explainNpmFailure, missingPackages } from "./dependencies.mjs";
import { hashInputs } from "./inputs.mjs";
import { checkMachine } from "./machine.mjs";

let directory = "";
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "scrim-setup-"))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function fakeEnvoy(path: string, version: string): string {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, `#!/bin/sh\necho "envoy  version: abc/${version}/Clean/RELEASE/BoringSSL"\n`);
  chmodSync(path, 0o755);
  return path;
}

describe("checkMachine", () => {
  it("lets Linux on x86_64 and arm64 with Node 20.19 or newer in", () => {
    for (const [arch, nodeVersion] of [
      ["x64", "20.19.0"],
      ["arm64", "22.1.0"],
    ] as const)
      expect(() => checkMachine({ platform: "linux", arch, nodeVersion })).not.toThrow();
  });
  it.each([
    ["darwin", "arm64", "22.0.0", "Linux"],
    ["linux", "riscv64", "22.0.0", "x86_64"],
    ["linux", "x64", "20.18.9", "Node 20.19"],
    ["linux", "x64", "18.20.0", "Node 20.19"],
  ])("refuses %s %s Node %s", (platform, arch, nodeVersion, says) => {
    expect(() => checkMachine({ platform, arch, nodeVersion })).toThrow(says);
  });
});

describe("dependencies", () => {
  it("asks only for what is missing or of another version; packages for other machines may be absent", () => {
    const wanted = {
      packages: {
        "": {},
        "node_modules/a": { version: "1" },
        "node_modules/b": { version: "2" },
        "node_modules/c": { version: "3", optional: true },
        "filters/sdk": {},
      },
    };
    expect(
      missingPackages(wanted, { packages: { "node_modules/a": { version: "1" }, "node_modules/b": { version: "1" } } }),
    ).toEqual(["node_modules/b"]);
  });
  it.each([
    ["npm error code ENOTFOUND\nnpm error network", "could not be reached"],
    ["npm error code EINTEGRITY", "another hash"],
    ["npm ERR! something else", "something else"],
  ])("explains %s", (output, says) => {
    expect(explainNpmFailure(output).message).toContain(says);
  });
});

describe("hashInputs", () => {
  it("changes with content and names, not with built files or tests", async () => {
    writeFileSync(join(directory, "a.ts"), "1");
    const before = await hashInputs(directory, ["."]);
    mkdirSync(join(directory, "build"));
    writeFileSync(join(directory, "build", "out.mjs"), "x");
    writeFileSync(join(directory, "a.test.ts"), "x");
    expect(await hashInputs(directory, ["."])).toBe(before);
    writeFileSync(join(directory, "a.ts"), "2");
    expect(await hashInputs(directory, ["."])).not.toBe(before);
  });
});

describe("locateEnvoy", () => {
  const locate = (changes: object) =>
    locateEnvoy({
      envoyPath: undefined,
      searchPath: "",
      cacheDir: join(directory, "cache"),
      arch: "x64",
      fetch: false,
      ...changes,
    });

  it("prefers ENVOY_PATH, then a supported one on PATH, then the cache", async () => {
    const own = fakeEnvoy(join(directory, "own", "envoy"), "1.38.0");
    fakeEnvoy(join(directory, "bin", "envoy"), "1.37.0");
    fakeEnvoy(pinnedEnvoyPath(join(directory, "cache")), "1.40.0");
    expect(await locate({ envoyPath: own, searchPath: join(directory, "bin") })).toEqual({
      path: own,
      version: "1.38.0",
      from: "ENVOY_PATH",
    });
    expect(await locate({ searchPath: join(directory, "bin") })).toMatchObject({ version: "1.37.0", from: "PATH" });
    expect(await locate({})).toMatchObject({ from: "cache" });
  });
  it("passes by an old one on PATH, and says so", async () => {
    fakeEnvoy(join(directory, "bin", "envoy"), "1.20.0");
    fakeEnvoy(pinnedEnvoyPath(join(directory, "cache")), "1.40.0");
    const said: string[] = [];
    expect(
      await locate({ searchPath: join(directory, "bin"), report: (line: string) => said.push(line) }),
    ).toMatchObject({ from: "cache" });
    expect(said).toEqual([expect.stringContaining("1.20.0")]);
  });
  it("refuses an ENVOY_PATH that is too old, does not run, or is not there", async () => {
    await expect(locate({ envoyPath: fakeEnvoy(join(directory, "old"), "1.20.0") })).rejects.toMatchObject({
      code: "ENVOY_TOO_OLD",
    });
    await expect(locate({ envoyPath: "/bin/true" })).rejects.toMatchObject({ code: "ENVOY_PATH_UNUSABLE" });
    await expect(locate({ envoyPath: join(directory, "nothing") })).rejects.toMatchObject({
      code: "ENVOY_PATH_UNUSABLE",
    });
  });
  it("has no pinned Envoy for other machines", async () => {
    await expect(locate({ arch: "riscv64", fetch: true })).rejects.toMatchObject({ code: "UNSUPPORTED_MACHINE" });
  });
  it("reads and compares versions", () => {
    expect(parseEnvoyVersion("envoy  version: 9e55/1.40.0/Clean/RELEASE/BoringSSL")).toBe("1.40.0");
    expect(parseEnvoyVersion("envoy  version: 9e55/1.41.0-dev/Modified/DEBUG/BoringSSL")).toBe("1.41.0");
    expect(["1.37.0", "1.100.0", "2.0.0", "1.36.9"].map((version) => isSupportedEnvoy(version))).toEqual([
      true,
      true,
      true,
      false,
    ]);
  });
});

describe("withFileLock", () => {
  it("lets one in at a time, and takes over from a holder that is gone", async () => {
    const enter = async (lock: string): Promise<number> => {
      writeFileSync(lock, "999999999\n");
      let inside = 0;
      let most = 0;
      const work = () =>
        withFileLock(
          lock,
          () => undefined,
          async () => {
            most = Math.max(most, ++inside);
            await new Promise((resolve) => setTimeout(resolve, 20));
            inside--;
          },
        );
      await Promise.all([work(), work(), work()]);
      return most;
    };
    // Many at once, because who finds the holder gone may be overtaken by another who found it too.
    const most = await Promise.all(Array.from({ length: 100 }, (_, round) => enter(join(directory, `lock-${round}`))));
    expect(Math.max(...most)).toBe(1);
  });
});
