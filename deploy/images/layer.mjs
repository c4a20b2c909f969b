// Consumes: programs and folders of this machine.
// Produces: layers of container images (tar), each once per content.
// Never does: ask a registry; a program brings the shared libraries that it is linked to.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import {
  chmod,
  cp,
  copyFile,
  mkdir,
  mkdtemp,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { hashInputs } from "../setup/inputs.mjs";
import { SetupError } from "../setup/machine.mjs";
import { run } from "../setup/run.mjs";

// Loaded at run time by name: `ldd` does not see them.
const NAME_SERVICE = ["libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2"];

/**
 * Returns `{path, digest}` of a layer: `parts` are `{from, to}` (a file or folder of this machine, and its place in the
 * image), `{link, to}` (a symbolic link), `{text, to}` or `{folder, to}`. What is in `folder` already is not made again.
 */
export async function layerOf(folder, parts) {
  const key = await keyOf(parts);
  const path = join(folder, `${key}.tar`);
  const known = await readFile(`${path}.sha256`, "utf8").catch(() => undefined);
  if (known !== undefined) return { path, digest: known };
  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(join(folder, ".make-"));
  try {
    await chmod(work, 0o755);
    for (const part of parts) await put(work, part);
    const fresh = `${work}.tar`;
    const stable = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"];
    await must("tar", [...stable, "-C", work, "-cf", fresh, "."]);
    const digest = await hashOf(fresh);
    await rename(fresh, path);
    await writeFile(`${path}.sha256`, digest);
    return { path, digest };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Returns the parts that every image of programs begins with: users, names of hosts, folders. */
export function baseParts() {
  return [
    { to: "/etc/passwd", text: "root:x:0:0::/root:/bin/sh\nscrim:x:1337:1337::/:/bin/false\n" },
    { to: "/etc/group", text: "root:x:0:\nscrim:x:1337:\n" },
    { to: "/etc/nsswitch.conf", text: "hosts: files dns\n" },
    ...["/tmp", "/proc", "/sys", "/dev", "/run"].map((to) => ({ to, folder: true })),
  ];
}

/** Returns a program of this machine with the libraries that it needs, as parts. */
export async function programParts(from, to) {
  const { output } = await run("ldd", [from], { cwd: "/" });
  const libraries = [...output.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(([, path]) => path);
  const folder = libraries.find((path) => path.includes("/libc.so"));
  const byName = folder ? NAME_SERVICE.map((name) => join(dirname(folder), name)) : [];
  return [{ from, to }, ...[...libraries, ...byName].map((path) => ({ from: path, to: path }))];
}

async function put(rootfs, { from, to, text, link, folder }) {
  const at = join(rootfs, to);
  await mkdir(folder ? at : dirname(at), { recursive: true });
  if (to === "/tmp") await chmod(at, 0o1777);
  if (text !== undefined) await writeFile(at, text);
  else if (link !== undefined) await symlink(link, at);
  else if (from !== undefined) {
    const found = await stat(from).catch(() => undefined);
    if (found?.isDirectory()) await cp(from, at, { recursive: true });
    else if (found) await copyFile(await realpath(from), at);
    if (found?.isFile()) await chmod(at, found.mode & 0o777);
  }
}

const BIG_BYTES = 16_000_000;

/** Big programs by their size and time of change, everything else by what it holds. */
async function keyOf(parts) {
  const hash = createHash("sha256").update(await readFile(new URL(import.meta.url)));
  for (const part of parts) {
    hash.update(JSON.stringify(part));
    if (part.from === undefined) continue;
    const found = await stat(part.from).catch(() => undefined);
    if (found?.isDirectory()) hash.update(await hashInputs(part.from, ["."]));
    else if (found) hash.update(found.size > BIG_BYTES ? `${found.mtimeMs}` : await readFile(part.from));
  }
  return hash.digest("hex").slice(0, 24);
}

async function hashOf(file) {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  return hash.digest("hex");
}

/** Returns what a command prints; throws SetupError with it when it fails. */
export async function must(command, args) {
  const { code, output } = await run(command, args, { cwd: "/" });
  if (code !== 0) throw new SetupError(`\`${command} ${args.join(" ")}\` failed: ${output.trim().slice(-500)}`);
  return output;
}
