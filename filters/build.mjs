// Consumes: filters/<name>/index.ts and filters/examples/<name>/index.ts. Produces: filters/build/<name>.wasm and
// filters/build/examples/<name>.wasm, the same bytes for the same sources. Never compiles what has not changed since
// its last build (unless --force).
// Where filters/<name>/manifest.json is, the module carries it: what it may do, how it stops, its configuration's schema.
//
//   node filters/build.mjs [name…] [--force]
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { compileFilter } from "./sdk/compile.mjs";
import { withManifest } from "./sdk/manifest.mjs";

const filters = dirname(fileURLToPath(import.meta.url));
const root = dirname(filters);
const out = join(filters, "build");
const NOT_FILTERS = new Set(["sdk", "policy", "request", "build", "examples"]);

const sha256 = (content) => createHash("sha256").update(content).digest("hex");

/** Paths, below filters/, of the folders that hold a filter. */
function filterNames() {
  const foldersIn = (folder) =>
    readdirSync(join(filters, folder), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(folder, entry.name));
  return [...foldersIn("").filter((name) => !NOT_FILTERS.has(name)), ...foldersIn("examples")]
    .filter((name) => existsSync(join(filters, name, "index.ts")))
    .sort();
}

/** What every build depends on besides the filter's own sources: the compiler and how it is called. */
function toolHash() {
  const compiler = JSON.parse(readFileSync(join(root, "node_modules/assemblyscript/package.json"), "utf8")).version;
  return sha256(
    [
      compiler,
      ...["sdk/compile.mjs", "sdk/exports-check.mjs", "sdk/asconfig.json"].map((file) =>
        readFileSync(join(filters, file), "utf8"),
      ),
    ].join("\0"),
  );
}

/** What puts manifests into modules: of those that have one, an input. */
const WRITER = "filters/sdk/manifest.mjs";

/** Path, below the root, of what a filter's author says of it. */
function manifestOf(name) {
  return `filters/${name}/manifest.json`;
}

/** Adds the manifest to what was compiled, where there is one. */
function withOwnManifest(name, result) {
  const file = manifestOf(name);
  if (!result.ok || !existsSync(join(root, file))) return result;
  const text = readFileSync(join(root, file), "utf8");
  const binary = withManifest(result.binary, text);
  return binary === undefined
    ? { ok: false, errors: `${file} is no JSON object` }
    : {
        ...result,
        binary,
        inputs: new Map([...result.inputs, [file, text], [WRITER, readFileSync(join(root, WRITER), "utf8")]]),
      };
}

function write(file, content) {
  writeFileSync(`${file}.tmp`, content);
  renameSync(`${file}.tmp`, file);
}

/** Whether the module on disk is the one these sources give. */
function isUpToDate(name, tools) {
  try {
    const record = JSON.parse(readFileSync(join(out, `${name}.inputs.json`), "utf8"));
    if (existsSync(join(root, manifestOf(name))) !== Object.hasOwn(record.inputs, manifestOf(name))) return false;
    if (record.tools !== tools || sha256(readFileSync(join(out, `${name}.wasm`))) !== record.sha256) return false;
    return Object.entries(record.inputs).every(([file, hash]) => sha256(readFileSync(join(root, file))) === hash);
  } catch {
    return false;
  }
}

async function build(name, tools) {
  const started = Date.now();
  const result = withOwnManifest(name, await compileFilter({ entry: `filters/${name}/index.ts`, baseDir: root }));
  if (!result.ok) {
    console.error(`filters/${name}: failed\n${result.errors}`);
    return false;
  }
  const inputs = Object.fromEntries([...result.inputs].map(([file, content]) => [file, sha256(content)]).sort());
  write(join(out, `${name}.wasm`), result.binary);
  write(
    join(out, `${name}.inputs.json`),
    `${JSON.stringify({ sha256: sha256(result.binary), tools, inputs }, null, 1)}\n`,
  );
  const kib = (result.binary.length / 1024).toFixed(1);
  console.log(`filters/build/${name}.wasm: ${kib} KiB in ${((Date.now() - started) / 1000).toFixed(1)} s`);
  return true;
}

async function main(argv) {
  const force = argv.includes("--force");
  const asked = argv.filter((argument) => !argument.startsWith("--"));
  const known = filterNames();
  const unknown = asked.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    console.error(
      `No filter ${unknown.join(", ")} in ${relative(process.cwd(), filters) || "."} (there are: ${known.join(", ")})`,
    );
    return 2;
  }
  mkdirSync(join(out, "examples"), { recursive: true });
  const tools = toolHash();
  let failed = false;
  for (const name of asked.length > 0 ? asked : known) {
    if (!force && isUpToDate(name, tools)) console.log(`filters/build/${name}.wasm: up to date`);
    else if (!(await build(name, tools))) failed = true;
  }
  return failed ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
