// Consumes: test/host/rust-modules and a Rust toolchain with the target wasm32-wasip1.
// Produces: build/rust/<name>.wasm, made again only when a source or the toolchain changed.
// Never does: fails the set-up: without such a toolchain the tests of these modules are left out by name.
import { createHash } from "node:crypto";
import { copyFile, mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./run.mjs";
import { findRustToolchain, RUST_TARGET } from "./rust-toolchain.mjs";

const NAMES = ["stamp", "gatekeeper", "ledger"];

/** Builds the Rust modules that tests run; resolves to whether there was anything to do. */
export async function buildRustModules({ root, cacheDir, begin, report }) {
  const sources = join(root, "test/host/rust-modules");
  const out = join(root, "build/rust");
  const toolchain = await findRustToolchain();
  if (toolchain.kind === "absent") {
    report(`no modules of the Rust SDK, so their tests are left out: ${toolchain.reason}`);
    return false;
  }
  const inputs = await hashOf(sources, toolchain.version);
  if (inputs === (await readFile(join(out, "inputs"), "utf8").catch(() => ""))) return false;
  begin();
  // Beside the cache's other tools: a standard library that was compiled there serves every clone.
  const target = join(cacheDir, "tools", "rust-modules");
  const built = await run(
    "cargo",
    ["build", "--release", "--quiet", "--locked", ...toolchain.args, "--target-dir", target],
    { cwd: sources, env: { ...process.env, ...toolchain.env } },
  );
  if (built.code !== 0) {
    report(
      "no modules of the Rust SDK, so their tests are left out: " +
        `${built.output.trim().split("\n").slice(-3).join(" / ")}`,
    );
    return false;
  }
  await mkdir(out, { recursive: true });
  for (const name of NAMES) {
    const made = join(out, `${name}.wasm.${process.pid}`);
    await copyFile(join(target, RUST_TARGET, "release", `${name}.wasm`), made);
    await rename(made, join(out, `${name}.wasm`));
  }
  await writeFile(join(out, "inputs"), inputs);
  return true;
}

async function hashOf(folder, version) {
  const hash = createHash("sha256").update(version);
  const files = (await readdir(folder, { recursive: true })).filter((file) => /\.(rs|toml|lock)$/.test(file)).sort();
  for (const file of files) hash.update(`\0${file}\0`).update(await readFile(join(folder, file)));
  return hash.digest("hex");
}
