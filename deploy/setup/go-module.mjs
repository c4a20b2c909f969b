// Consumes: test/host/go-module and a Go of 1.24 or later (GOOS=wasip1, -buildmode=c-shared).
// Produces: build/go/greeter.wasm, made again only when a source or the compiler changed.
// Never does: fails the set-up: without Go the tests of this module are left out by name.
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./run.mjs";

/** Builds the module of the Go SDK that tests run; resolves to whether there was anything to do. */
export async function buildGoModule({ root, begin, report }) {
  const sources = join(root, "test/host/go-module");
  const out = join(root, "build/go");
  const version = await run("go", ["env", "GOVERSION"], { cwd: sources });
  if (version.code !== 0) {
    report("no module of the Go SDK, so its tests are left out: there is no go");
    return false;
  }
  const hash = createHash("sha256").update(version.output);
  for (const file of (await readdir(sources)).filter((name) => /\.(go|mod|sum)$/.test(name)).sort()) hash.update(`\0${file}\0`).update(await readFile(join(sources, file)));
  const inputs = hash.digest("hex");
  if (inputs === (await readFile(join(out, "inputs"), "utf8").catch(() => ""))) return false;
  begin();
  await mkdir(out, { recursive: true });
  const made = join(out, `greeter.wasm.${process.pid}`);
  const built = await run("go", ["build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", made, "."], { cwd: sources, env: { ...process.env, GOOS: "wasip1", GOARCH: "wasm" } });
  if (built.code !== 0) {
    report(`no module of the Go SDK, so its tests are left out: ${built.output.trim().split("\n").slice(-3).join(" / ")}`);
    return false;
  }
  await rename(made, join(out, "greeter.wasm"));
  await writeFile(join(out, "inputs"), inputs);
  return true;
}
