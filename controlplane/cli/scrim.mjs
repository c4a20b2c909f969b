#!/usr/bin/env node
// The launcher: runs the built CLI, or says how to build it.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const bundle = new URL("../build/scrim.mjs", import.meta.url);
if (existsSync(bundle)) {
  process.setSourceMapsEnabled(true);
  const { main } = await import(bundle.href);
  // A fetch that was given up may still be running; the command is over.
  const exitCode = await main(process.argv.slice(2), fileURLToPath(import.meta.url));
  // A pipe takes in what was written only as fast as its reader reads.
  for (const stream of [process.stdout, process.stderr]) await new Promise((resolve) => stream.write("", resolve));
  process.exit(exitCode || process.exitCode);
} else {
  process.stderr.write("scrim: it is not built yet: run `npm run setup` in the repository.\n");
  process.exitCode = 1;
}
