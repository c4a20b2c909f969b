// Consumes: sources in Go that only tests use, and a Go of 1.26 or later.
// Produces: build/go/<name>, each made again only when a source or the compiler changed.
// Never does: fails the set-up: without Go the tests of these programs are left out by name.
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./run.mjs";

const PROGRAMS = [
  {
    what: "module of the Go SDK",
    sources: "test/host/go-module",
    name: "greeter.wasm",
    args: ["-buildmode=c-shared"],
    env: { GOOS: "wasip1", GOARCH: "wasm" },
  },
  {
    what: "xDS clients in Go",
    sources: "test/conformance/go",
    name: "xds-clients",
    args: [],
    env: { CGO_ENABLED: "0" },
  },
];

/** Builds the programs in Go that tests run; resolves to whether there was anything to do. */
export async function buildGoPrograms({ root, begin, report }) {
  const version = await run("go", ["env", "GOVERSION"], { cwd: root });
  if (version.code !== 0) {
    for (const { what } of PROGRAMS) report(`no ${what}, so the tests of it are left out: there is no go`);
    return false;
  }
  const out = join(root, "build/go");
  let changed = false;
  for (const program of PROGRAMS) {
    const inputs = await hashSources(join(root, program.sources), version.output);
    const stamp = join(out, `${program.name}.inputs`);
    if (inputs === (await readFile(stamp, "utf8").catch(() => ""))) continue;
    if (!changed) begin();
    changed = true;
    await mkdir(out, { recursive: true });
    const problem = await build(root, program, join(out, program.name));
    if (problem === undefined) await writeFile(stamp, inputs);
    else report(`no ${program.what}, so the tests of it are left out: ${problem}`);
  }
  return changed;
}

async function hashSources(folder, version) {
  const hash = createHash("sha256").update(version);
  for (const file of (await readdir(folder)).filter((name) => /\.(go|mod|sum)$/.test(name)).sort())
    hash.update(`\0${file}\0`).update(await readFile(join(folder, file)));
  return hash.digest("hex");
}

/** Returns why it could not be built; undefined when it was. */
async function build(root, { sources, args, env }, made) {
  const fresh = `${made}.${process.pid}`;
  const built = await run("go", ["build", ...args, "-trimpath", "-ldflags=-s -w", "-o", fresh, "."], {
    cwd: join(root, sources),
    env: { ...process.env, ...env },
  });
  if (built.code !== 0) return built.output.trim().split("\n").slice(-3).join(" / ");
  await rename(fresh, made);
  return undefined;
}
