// Consumes: entry files, and what the bundle before said it was made from.
// Produces: bundles for Node, with the list of their inputs beside them.
// Never does: bundles again what nothing has changed of.
import { access, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hashInputs, readStamp, writeStamp } from "./inputs.mjs";
import { SetupError } from "./machine.mjs";

/** Beside a bundle: what esbuild says it was made from. Hidden, since the demo's bundles stand in a mesh directory. */
const METAFILE = ".inputs.json";
/** Beside a bundle: the hash of these inputs as they were then. */
const STAMP = ".inputs";

/** The clock of a file system may be behind by so much. */
const FILE_CLOCK_MS = 20;

const BANNER =
  'import { createRequire as scrimCreateRequire } from "node:module"; ' +
  "const require = scrimCreateRequire(import.meta.url);";

/**
 * Bundles `entries` (`{in, out}`: a source, and the bundle's name without ending) from `root` to `outdir`, both as
 * esbuild names them in its answer: relative to the root. Returns esbuild's metafile; throws SetupError with what it
 * complains of. With `splitting` what is only imported when a command runs is a file of its own, read only then.
 */
export async function bundle(root, { entries, outdir, sourcemap = true, splitting = false }) {
  const { build } = await import("esbuild");
  try {
    const { metafile } = await build({
      absWorkingDir: root,
      entryPoints: entries,
      outdir,
      outExtension: { ".js": ".mjs" },
      bundle: true,
      platform: "node",
      format: "esm",
      splitting,
      chunkNames: "chunk-[hash]",
      target: "node20",
      sourcemap,
      sourcesContent: false,
      logLevel: "silent",
      metafile: true,
      external: ["esbuild", "assemblyscript", "@assemblyscript/loader"],
      loader: { ".proto": "text" },
      // CommonJS packages inside an ES module still call require for Node's own modules.
      banner: { js: BANNER },
    });
    return metafile;
  } catch (error) {
    const details = (error.errors ?? [])
      .slice(0, 5)
      .map((e) => `${e.location?.file ?? ""}:${e.location?.line ?? ""} ${e.text}`)
      .join("\n");
    throw new SetupError(`Bundling to ${outdir} failed:\n${details || error.message}`);
  }
}

/** Bundles unless the bundles are there and what they were made from is as it was; returns whether it did. */
export async function bundleWhenStale({ root, begin }, { entries, outdir, splitting }) {
  const at = (name) => join(root, outdir, name);
  if (await isUpToDate(root, at, entries, outdir)) return false;
  const startedMs = Date.now() - FILE_CLOCK_MS;
  begin();
  await rm(at(STAMP), { force: true });
  await mkdir(join(root, outdir), { recursive: true });
  const metafile = await bundle(root, { entries, outdir, splitting });
  await removeOldChunks(root, outdir, metafile);
  await writeFile(at(METAFILE), JSON.stringify(metafile));
  const inputs = ownInputs(metafile);
  const hash = await hashInputs(root, inputs);
  // What was edited meanwhile is not in the bundle for certain: the next set-up makes it again.
  if (!(await isNewer(root, inputs, startedMs))) await writeStamp(at(STAMP), hash);
  return true;
}

async function isUpToDate(root, at, entries, outdir) {
  const metafile = JSON.parse(await readFile(at(METAFILE), "utf8").catch(() => "null"));
  if (metafile === null) return false;
  for (const { in: source, out } of entries) {
    const made = metafile.outputs[`${outdir}/${out}.mjs`];
    if (made?.entryPoint !== source || !(await exists(at(`${out}.mjs`)))) return false;
  }
  return (await readStamp(at(STAMP))) === (await hashInputs(root, ownInputs(metafile)));
}

async function removeOldChunks(root, outdir, { outputs }) {
  const made = new Set(Object.keys(outputs));
  for (const name of await readdir(join(root, outdir)))
    if (/^chunk-.*\.mjs(\.map)?$/.test(name) && !made.has(`${outdir}/${name}`)) await rm(join(root, outdir, name));
}

/** Packages do not change unless the lockfile does. */
function ownInputs(metafile) {
  const sources = Object.keys(metafile.inputs).filter((file) => !file.includes("node_modules/"));
  return [...sources, "package-lock.json", "tsconfig.json", "deploy/setup/bundle.mjs"];
}

async function isNewer(root, inputs, sinceMs) {
  const times = await Promise.all(
    inputs.map((file) =>
      stat(join(root, file)).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      ),
    ),
  );
  return times.some((changedMs) => changedMs >= sinceMs);
}

async function exists(path) {
  return access(path).then(
    () => true,
    () => false,
  );
}
