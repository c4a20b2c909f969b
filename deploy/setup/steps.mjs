import { access, chmod, lstat, mkdir, readlink, rename, rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { dependenciesMatch, explainNpmFailure } from "./dependencies.mjs";
import { hashInputs, readStamp, writeStamp } from "./inputs.mjs";
import { SetupError } from "./machine.mjs";
import { run } from "./run.mjs";

// Every step takes `{root, begin, report}`, calls `begin` before it starts to work and resolves to whether it had
// anything to do.

/** Installs what the lockfile names, unless node_modules has it already. */
export async function installDependencies({ root, begin }) {
  if (await dependenciesMatch(root)) return false;
  begin();
  const npm = await run("npm", ["ci", "--no-audit", "--no-fund"], { cwd: root });
  if (npm.code === 127) throw new SetupError("npm is missing: install it (it comes with Node) and run this again.");
  if (npm.code !== 0) throw explainNpmFailure(npm.output);
  return true;
}

/** Generates the codecs and types of Envoy's API from the pinned protos. */
export async function buildProtos(context) {
  return buildByScript(context, {
    script: "protos/build.mjs",
    inputs: ["protos", "package-lock.json"],
    output: "protos/build",
  });
}

/** Compiles the filters to `filters/build/*.wasm`. */
export async function buildFilters(context) {
  return buildByScript(context, {
    script: "filters/build.mjs",
    inputs: ["filters", "package-lock.json"],
    output: "filters/build",
  });
}

async function buildByScript({ root, begin }, { script, inputs, output }) {
  return whenStale({ root, begin, inputs, output }, async () => {
    const result = await run(process.execPath, [join(root, script)], { cwd: root });
    if (result.code === 0) return;
    const last = result.output.trim().split("\n").slice(-12).join("\n");
    throw new SetupError(`\`node ${script}\` failed:\n${last}`);
  });
}

/** Bundles the control plane and the CLI to `controlplane/build/`. */
export async function buildControlPlane({ root, begin }) {
  const inputs = ["controlplane", "protos", "filters/telemetry", "test/host", "package-lock.json", "deploy/setup"];
  return whenStale(
    {
      root,
      begin,
      inputs,
      output: "controlplane/build",
      made: CONTROL_PLANE_ENTRIES.map((entry) => `${entry.out}.mjs`),
    },
    () =>
      bundle(root, {
        entries: CONTROL_PLANE_ENTRIES.map((entry) => ({ in: join(root, entry.in), out: entry.out })),
        outdir: "controlplane/build",
      }),
  );
}

// The second entry is a process of its own, so that a plugin under test can be killed; the third a thread, so that
// nobody waits for a large document.
const CONTROL_PLANE_ENTRIES = [
  { out: "scrim", in: "controlplane/cli/index.ts" },
  { out: "check-plugin", in: "controlplane/wasm/check-plugin.ts" },
  { out: "parse-yaml", in: "controlplane/source/files/parse-yaml.ts" },
];

const DEMO_SERVICES = ["productpage", "details", "reviews", "ratings"];

/** Bundles the demo's services to `deploy/demo/bookinfo/services/build/`. */
export async function buildDemo({ root, begin }) {
  const services = "deploy/demo/bookinfo/services";
  return whenStale(
    {
      root,
      begin,
      inputs: [services, "package-lock.json"],
      output: `${services}/build`,
      made: DEMO_SERVICES.map((name) => `${name}.mjs`),
    },
    () =>
      bundle(root, {
        entries: DEMO_SERVICES.map((name) => ({ in: join(root, services, `${name}.ts`), out: name })),
        outdir: `${services}/build`,
      }),
  );
}

async function bundle(root, { entries, outdir }) {
  const esbuild = await import(pathToFileURL(join(root, "node_modules/esbuild/lib/main.js")).href);
  try {
    await esbuild.build({
      entryPoints: entries,
      outdir: join(root, outdir),
      outExtension: { ".js": ".mjs" },
      bundle: true,
      platform: "node",
      format: "esm",
      target: "node20",
      sourcemap: true,
      sourcesContent: false,
      logLevel: "silent",
      external: ["esbuild", "assemblyscript", "@assemblyscript/loader"],
      loader: { ".proto": "text" },
      // CommonJS packages inside an ES module still call require for Node's own modules.
      banner: {
        js: 'import { createRequire as scrimCreateRequire } from "node:module"; const require = scrimCreateRequire(import.meta.url);',
      },
    });
  } catch (error) {
    const details = (error.errors ?? [])
      .slice(0, 5)
      .map((e) => `${e.location?.file ?? ""}:${e.location?.line ?? ""} ${e.text}`)
      .join("\n");
    throw new SetupError(`Bundling to ${outdir} failed:\n${details || error.message}`);
  }
}

async function whenStale({ root, begin, inputs, output, made = [] }, build) {
  const stamp = join(root, output, ".inputs");
  const hash = await hashInputs(root, inputs);
  const complete = await Promise.all(made.map((name) => exists(join(root, output, name))));
  if ((await readStamp(stamp)) === hash && complete.every(Boolean)) return false;
  begin();
  await rm(stamp, { force: true });
  await mkdir(join(root, output), { recursive: true });
  await build();
  await writeStamp(stamp, hash);
  return true;
}

/** Links `node_modules/.bin/scrim`, so that `npx scrim` works inside the repository. */
export async function linkCommand({ root }) {
  const link = join(root, "node_modules/.bin/scrim");
  const target = "../../controlplane/cli/scrim.mjs";
  await chmod(join(dirname(link), target), 0o755);
  if ((await lstat(link).catch(() => undefined))?.isSymbolicLink() && (await readlink(link)) === target) return false;
  await mkdir(dirname(link), { recursive: true });
  await rm(`${link}.new`, { force: true });
  await symlink(target, `${link}.new`);
  await rename(`${link}.new`, link);
  return true;
}

async function exists(path) {
  return access(path).then(
    () => true,
    () => false,
  );
}
