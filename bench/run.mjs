#!/usr/bin/env node
// Consumes: the command line. Produces: build/bench/*.mjs, bundled from the TypeScript sources, and runs the command
// there.
// Never does: set the project up; `npm run setup` comes first.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { bundle } from "../deploy/setup/bundle.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

const entries = {
  main: "bench/main.ts",
  generator: "bench/load/generator.ts",
  streams: "bench/hotswap/streams-process.ts",
  application: "bench/chain/application.ts",
  clients: "bench/controlplane/clients.ts",
  "endurance-control-plane": "bench/endurance/control-plane-process.ts",
};

for (const needed of ["node_modules/esbuild", "filters/build/authz.wasm", "protos/build"]) {
  if (existsSync(join(root, needed))) continue;
  process.stderr.write(`${needed} is missing: run \`npm run setup\` first.\n`);
  process.exit(1);
}
await bundle(root, {
  entries: Object.entries(entries).map(([out, file]) => ({ in: file, out })),
  outdir: "build/bench",
  sourcemap: "inline",
});
const { main } = await import(pathToFileURL(join(root, "build/bench/main.mjs")).href);
// Not by itself: a bench that failed may have left traffic or servers that would keep it here for ever.
process.exit(await main(process.argv.slice(2)));
