// consumes: the pinned xds-protos wheel and roots.json
// produces: build/envoy-descriptor.mjs (pruned descriptor for protobufjs) and build/envoy.ts (types)
// never does: run Python code of the wheel, or write anything that is committed
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readDescriptors, readSerializedFile } from "./descriptors.mjs";
import { nameTypes, prune, toDescriptorJson } from "./prune.mjs";
import { toTypeScript } from "./types.mjs";
import { fetchWheel, readZip } from "./wheel.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const INPUTS = [
  "requirements.txt",
  "roots.json",
  "build.mjs",
  "descriptors.mjs",
  "prune.mjs",
  "types.mjs",
  "wheel.mjs",
];
const OUTPUTS = ["envoy-descriptor.mjs", "envoy-descriptor.d.mts", "envoy.ts"];

/** A hash over everything the outputs depend on. */
function recipeHash() {
  const hash = createHash("sha256");
  for (const name of INPUTS) hash.update(readFileSync(`${here}${name}`));
  return hash.digest("hex");
}

function isUpToDate(stamp) {
  const made = OUTPUTS.every((name) => existsSync(`${here}build/${name}`));
  return made && existsSync(`${here}build/stamp`) && readFileSync(`${here}build/stamp`, "utf8") === stamp;
}

/** Written beside and renamed, so that a process that starts meanwhile never reads half a file. */
function write(name, text) {
  writeFileSync(`${here}build/.${name}.${process.pid}`, text);
  renameSync(`${here}build/.${name}.${process.pid}`, `${here}build/${name}`);
}

function build(stamp) {
  const { messages, names: given } = JSON.parse(readFileSync(`${here}roots.json`, "utf8"));
  const files = [];
  for (const [, bytes] of readZip(fetchWheel(), (name) => name.endsWith("_pb2.py"))) {
    const file = readSerializedFile(bytes.toString("latin1"));
    if (file !== undefined) files.push(file);
  }
  const kept = prune(readDescriptors(files), messages);
  const names = nameTypes(kept, given);
  const messageNames = Object.fromEntries([...names].filter(([, fullName]) => kept.get(fullName).kind === "message"));
  mkdirSync(`${here}build`, { recursive: true });
  const json = JSON.stringify({ root: toDescriptorJson(kept), names: messageNames });
  write(
    "envoy-descriptor.mjs",
    "// Made by protos/build.mjs; parsed from a string, which starts faster than an object literal.\n" +
      `export const descriptor = JSON.parse(${JSON.stringify(json)});\n`,
  );
  write(
    "envoy-descriptor.d.mts",
    "export declare const descriptor: { readonly root: Record<string, unknown>; readonly names: " +
      "Readonly<Record<string, string>> };\n",
  );
  write("envoy.ts", toTypeScript(kept, names));
  write("stamp", stamp);
  return names.size;
}

try {
  const stamp = recipeHash();
  if (!isUpToDate(stamp)) console.log(`Envoy API: ${build(stamp)} types`);
} catch (error) {
  console.error(`scrim: ${error.message}`);
  process.exitCode = 1;
}
