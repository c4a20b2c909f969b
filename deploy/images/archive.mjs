// Consumes: layers (layer.mjs), and what their images run.
// Produces: one archive of several images that share layers, as `docker load`, `ctr images import` and
// `kind load image-archive` read it.
// Never does: speak to a registry.
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { must } from "./layer.mjs";

const ARCHITECTURES = { x64: "amd64", arm64: "arm64" };
const PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Writes the archive. An image is `{name, layers, user, entrypoint, command, environment}`: its full name with the tag,
 * and what `docker inspect` shows of it.
 */
export async function writeArchive(out, images) {
  await mkdir(dirname(out), { recursive: true });
  const work = await mkdtemp(join(dirname(out), ".archive-"));
  try {
    const manifest = [];
    for (const image of images) manifest.push(await addImage(work, image));
    await writeFile(join(work, "manifest.json"), JSON.stringify(manifest));
    const fresh = `${out}.${basename(work)}`;
    await must("tar", ["--sort=name", "--mtime=@0", "-h", "-C", work, "-cf", fresh, "."]);
    await rename(fresh, out);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function addImage(work, { name, layers, user, entrypoint, command, environment = [] }) {
  const text = JSON.stringify({
    architecture: ARCHITECTURES[process.arch],
    os: "linux",
    created: "1970-01-01T00:00:00Z",
    config: { User: user, Env: [PATH, ...environment], Entrypoint: entrypoint, Cmd: command, WorkingDir: "/" },
    rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => `sha256:${digest}`) },
    history: layers.map(() => ({ created: "1970-01-01T00:00:00Z" })),
  });
  const config = `${createHash("sha256").update(text).digest("hex")}.json`;
  await writeFile(join(work, config), text);
  for (const { path, digest } of layers)
    await symlink(path, join(work, `${digest}.tar`)).catch((error) => {
      if (error.code !== "EEXIST") throw error;
    });
  return { Config: config, RepoTags: [name], Layers: layers.map(({ digest }) => `${digest}.tar`) };
}
