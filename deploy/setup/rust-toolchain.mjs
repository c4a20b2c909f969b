// Consumes: this machine's Rust toolchains.
// Produces: how to compile a module with the Rust SDK (target wasm32-wasip1), or what is missing for that.
// Never does: installs anything.
import { execFile } from "node:child_process";
import { access, readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

export const RUST_TARGET = "wasm32-wasip1";

const DEBIAN = "Debian's rustc-web, rust-web-src and wasi-libc besides cargo and lld";
const ADVICE = `\`rustup target add ${RUST_TARGET}\`, or ${DEBIAN}`;
// Where Debian's wasi-libc and the WASI SDK put the C library.
const LIBC_FOLDERS = [
  `/usr/lib/${RUST_TARGET}`,
  "/usr/lib/wasm32-wasi",
  `/opt/wasi-sdk/share/wasi-sysroot/lib/${RUST_TARGET}`,
];

const call = promisify(execFile);
const exists = (path) =>
  access(path).then(
    () => true,
    () => false,
  );
const output = (command, args) =>
  call(command, args).then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  );

/**
 * Resolves to `{ kind: "found", version, args, env }`, with `args` and `env` for `cargo build --release`, or
 * `{ kind: "absent", reason }`. A toolchain that has the target is taken as it is. One without it, but with the
 * standard library's source and a C library for WASI on the machine (as Debian packages them), compiles the standard
 * library too.
 */
export async function findRustToolchain() {
  const cargo = await output("cargo", ["--version"]);
  if (cargo === undefined) return { kind: "absent", reason: `there is no cargo: ${ADVICE}` };
  const compilers = ["rustc", "/usr/bin/rustc"];
  for (const rustc of compilers) {
    const libraries = await output(rustc, ["--print", "target-libdir", "--target", RUST_TARGET]);
    if (libraries && (await exists(libraries)))
      return {
        kind: "found",
        version: `${await output(rustc, ["--version"])}`,
        args: ["--target", RUST_TARGET],
        env: { RUSTC: rustc },
      };
  }
  for (const rustc of compilers) {
    const found = await withOwnLibrary(rustc);
    if (found) return found;
  }
  return { kind: "absent", reason: `no Rust toolchain has the target ${RUST_TARGET}: ${ADVICE}` };
}

async function withOwnLibrary(rustc) {
  const sysroot = await output(rustc, ["--print", "sysroot"]);
  if (sysroot === undefined || !(await exists(join(sysroot, "lib/rustlib/src/rust/library/std")))) return undefined;
  const linker = await findLinker();
  for (const folder of LIBC_FOLDERS) {
    if (linker === undefined || !(await exists(join(folder, "libc.a")))) continue;
    return {
      kind: "found",
      version: `${await output(rustc, ["--version"])}, with a standard library of its own`,
      args: ["--target", RUST_TARGET, "-Zbuild-std=std,panic_abort"],
      env: {
        RUSTC: rustc,
        RUSTC_BOOTSTRAP: "1",
        RUSTFLAGS: `-Clink-self-contained=no -Lnative=${folder} -Clinker=${linker} -Clinker-flavor=wasm-ld`,
      },
    };
  }
  return undefined;
}

/** LLVM's linker for WebAssembly: that of any rustup toolchain, else a wasm-ld on the path. */
async function findLinker() {
  const sysroot = await output("rustc", ["--print", "sysroot"]);
  const targets = sysroot ? await readdir(join(sysroot, "lib/rustlib")).catch(() => []) : [];
  for (const target of targets) {
    const path = join(sysroot, "lib/rustlib", target, "bin/rust-lld");
    if (await exists(path)) return path;
  }
  for (const name of ["wasm-ld", "wasm-ld-22", "wasm-ld-21", "wasm-ld-20", "wasm-ld-19"])
    if (await output(name, ["--version"])) return name;
  return undefined;
}
