#!/usr/bin/env node
// Consumes: a clone of the repository (perhaps nothing else yet) and the machine it lies on.
// Produces: node_modules, Envoy's codecs, the filters, the control plane, the demo's services and an Envoy, each made
// only when it is missing or stale.
// Never does: needs a dependency (it runs before there are any), or leaves a half-made output behind that the next run
// would trust.
//
//   node deploy/setup/setup.mjs [--for-tests [--without-test-servers]] [--build-only] [--quiet]
import { mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { EnvoyUnavailable, locateEnvoy } from "../../controlplane/envoy/install.mjs";
import { withFileLock } from "../../controlplane/disk/file-lock.mjs";
import { buildControlPlane, buildDemo, buildFilters, buildProtos, installDependencies, linkCommand } from "./steps.mjs";
import { checkMachine, SetupError } from "./machine.mjs";
import { buildGoPrograms } from "./go-programs.mjs";
import { installTestPrograms } from "./debian-packages.mjs";
import { buildRustModules } from "./rust-modules.mjs";
import { buildTestCluster } from "./test-cluster.mjs";
import { buildTestServers } from "./test-servers.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

async function main(argv) {
  const flags = new Set(argv);
  const say = (line) => process.stderr.write(`set-up: ${line}\n`);
  checkMachine({ platform: process.platform, arch: process.arch, nodeVersion: process.versions.node });
  // A lock, because `npm start` and `npm test` may begin at once in one clone.
  await mkdir(join(root, "build"), { recursive: true });
  await withFileLock(join(root, "build", "setup.lock"), say, async () => {
    const did = [];
    for (const [title, step] of stepsFor(flags)) {
      const started = Date.now();
      const changed = await step({ root, begin: () => say(`${title} …`), report: say });
      if (changed) did.push(`${title} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
    }
    if (did.length > 0) say(`done: ${did.join(", ")}`);
    else if (!flags.has("--quiet")) say("everything is up to date");
  });
}

function stepsFor(flags) {
  const builds = [
    ["dependencies", installDependencies],
    ["Envoy's API", buildProtos],
    ["filters", buildFilters],
    ["control plane", buildControlPlane],
    ["demo services", buildDemo],
    ["scrim command", linkCommand],
  ];
  if (flags.has("--build-only")) return builds;
  const whole = [...builds, ["Envoy", ensureEnvoy]];
  return flags.has("--for-tests") && !flags.has("--without-test-servers")
    ? [
        ...whole,
        ["test servers", ensureTestServers],
        ["modules of the Rust SDK", ensureRustModules],
        ["programs in Go", buildGoPrograms],
        ["programs of Debian's", ensureTestPrograms],
        ["test cluster", ensureTestCluster],
      ]
    : whole;
}

function cacheDirectory() {
  const { SCRIM_CACHE_DIR, HOME } = process.env;
  return SCRIM_CACHE_DIR || join(HOME || homedir(), ".cache", "scrim");
}

async function ensureTestServers({ begin, report }) {
  return buildTestServers({ cacheDir: cacheDirectory(), begin, report });
}

/** Only where nobody else works: CI. */
async function ensureTestPrograms({ begin, report }) {
  const { PATH = "", CI } = process.env;
  return installTestPrograms({ searchPath: PATH, mayInstall: CI === "true" && process.getuid() === 0, begin, report });
}

async function ensureRustModules({ root, begin, report }) {
  return buildRustModules({ root, cacheDir: cacheDirectory(), begin, report });
}

async function ensureTestCluster({ begin, report }) {
  const { PATH = "" } = process.env;
  const isRoot = process.getuid() === 0;
  return buildTestCluster({ cacheDir: cacheDirectory(), searchPath: PATH, isRoot, begin, report });
}

async function ensureEnvoy({ report, begin }) {
  let fetched = false;
  const { ENVOY_PATH, PATH } = process.env;
  const cacheDir = cacheDirectory();
  const envoy = await locateEnvoy({
    envoyPath: ENVOY_PATH,
    searchPath: PATH,
    cacheDir,
    arch: process.arch,
    report: (line) => {
      if (!fetched) begin();
      fetched = true;
      report(line);
    },
  });
  if (envoy.from !== "cache") report(`using Envoy ${envoy.version} from ${envoy.from}: ${envoy.path}`);
  return fetched;
}

// npm ends its shell by force when it is ended, not this process: who started it is gone, so is the reason to go on.
const parent = process.ppid;
if (process.env.npm_lifecycle_event !== undefined) {
  setInterval(() => {
    if (process.ppid !== parent) process.exit(1);
  }, 500).unref();
}

main(process.argv.slice(2)).catch((error) => {
  const expected = error instanceof SetupError || error instanceof EnvoyUnavailable;
  process.stderr.write(
    expected ? `set-up: ${error.message}\n` : `set-up: failed unexpectedly: ${error?.stack ?? error}\n`,
  );
  process.exitCode = 1;
});
