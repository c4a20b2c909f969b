import { chmod, lstat, mkdir, readlink, rename, rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { bundleWhenStale } from "./bundle.mjs";
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
  const stamp = join(root, output, ".inputs");
  const hash = await hashInputs(root, inputs);
  if ((await readStamp(stamp)) === hash) return false;
  begin();
  await rm(stamp, { force: true });
  await mkdir(join(root, output), { recursive: true });
  const { code, output: printed } = await run(process.execPath, [join(root, script)], { cwd: root });
  if (code !== 0) {
    const last = printed.trim().split("\n").slice(-12).join("\n");
    throw new SetupError(`\`node ${script}\` failed:\n${last}`);
  }
  await writeStamp(stamp, hash);
  return true;
}

/** Bundles the control plane and the CLI to `controlplane/build/`. */
export async function buildControlPlane(context) {
  return bundleWhenStale(context, {
    outdir: "controlplane/build",
    splitting: true,
    // The second is a process of its own, so that a plugin under test can be killed; the third a thread, so that nobody
    // waits for a large document.
    entries: [
      { out: "scrim", in: "controlplane/cli/index.ts" },
      { out: "check-plugin", in: "controlplane/wasm/check-plugin.ts" },
      { out: "parse-yaml", in: "controlplane/source/files/parse-yaml.ts" },
    ],
  });
}

const DEMO_SERVICES = ["productpage", "details", "reviews", "ratings"];

/** Bundles the demo's services to `deploy/demo/bookinfo/services/build/`. */
export async function buildDemo(context) {
  const services = "deploy/demo/bookinfo/services";
  return bundleWhenStale(context, {
    outdir: `${services}/build`,
    entries: DEMO_SERVICES.map((name) => ({ in: `${services}/${name}.ts`, out: name })),
  });
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
