// consumes: the hand-written modules beside this file, and a Rust toolchain where there is one
// produces: their .wasm files under build/bench
// never does: compile what it compiled before
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import asc from "assemblyscript/asc";
import { findRustToolchain, RUST_TARGET } from "../../deploy/setup/rust-toolchain.mjs";
import { out, root } from "../places.ts";

export type RawModule = "noop" | "authz" | "ratelimit" | "four" | "version";

const sources = join(root, "bench/modules");

/** Returns the path of the built module; throws with the compiler's words when it does not compile. */
export async function compileRaw(name: RawModule): Promise<string> {
  const texts = new Map(
    readdirSync(sources)
      .filter((file) => file.endsWith(".as"))
      .map((file) => [`${file.slice(0, -3)}.ts`, readFileSync(join(sources, file), "utf8")]),
  );
  const hash = createHash("sha256")
    .update(JSON.stringify([name, ...texts]))
    .digest("hex")
    .slice(0, 16);
  const path = join(out, `raw-${name}-${hash}.wasm`);
  if (existsSync(path)) return path;
  let binary: Uint8Array | undefined;
  const stderr = asc.createMemoryStream();
  const args = [
    `${name}.ts`,
    "--outFile",
    "module.wasm",
    "--config",
    "none",
    "-O3",
    "--runtime",
    "stub",
    "--exportStart",
    "_initialize",
    "--use",
    "abort=raw/abort",
  ];
  const { error } = await asc.main(args, {
    stdout: asc.createMemoryStream(),
    stderr,
    listFiles: () => [],
    readFile: (file) => texts.get(file) ?? null,
    writeFile: (_file, content) => void (binary = content as Uint8Array),
  });
  if (error !== null || binary === undefined) throw new Error(`bench/modules/${name}.as: ${stderr.toString()}`);
  mkdirSync(out, { recursive: true });
  writeFileSync(path, binary);
  return path;
}

export type RustModule =
  | { readonly kind: "built"; readonly path: string }
  | { readonly kind: "absent"; readonly reason: string };

/** A toolchain without the target's standard library compiles that first. */
const BUILD_AT_MOST_MS = 900_000;

/** Returns the Rust SDK's filter, or why there is none. Never throws. */
export async function buildRust(): Promise<RustModule> {
  const toolchain = await findRustToolchain();
  if (toolchain.kind === "absent") return toolchain;
  const target = join(out, "rust");
  const settings = Object.entries(toolchain.env).map(([name, value]) => `${name}=${value}`);
  const built = await run("env", [
    ...settings,
    "cargo",
    "build",
    "--release",
    "--quiet",
    ...toolchain.args,
    "--manifest-path",
    join(sources, "rust/Cargo.toml"),
    "--target-dir",
    target,
  ]);
  if (built.kind === "failed")
    return { kind: "absent", reason: `cargo build failed: ${built.output.trim().split("\n").at(-1) ?? ""}` };
  return { kind: "built", path: join(target, RUST_TARGET, "release/bucket.wasm") };
}

function run(
  file: string,
  args: readonly string[],
): Promise<{ readonly kind: "done" | "failed"; readonly output: string }> {
  return new Promise((resolve) => {
    execFile(file, args, { timeout: BUILD_AT_MOST_MS }, (error, stdout, stderr) =>
      resolve(error === null ? { kind: "done", output: stdout } : { kind: "failed", output: stderr || error.message }),
    );
  });
}

/** Returns how many bytes of linear memory a module starts with: its memory section's first number of 64 KiB pages. */
export function initialMemoryOf(wasm: Uint8Array): number {
  let at = 8;
  const leb = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = wasm[at++] ?? 0;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
  };
  while (at < wasm.length) {
    const section = wasm[at++];
    const size = leb();
    const end = at + size;
    if (section === 5) {
      leb(); // how many memories: one
      at++; // flags
      return leb() * 65_536;
    }
    at = end;
  }
  return 0;
}
