// `scrim filter new`: a filter that builds and passes its test at once.
import type { Command } from "commander";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import { commandFailure } from "./exit-codes.ts";
import type { CommandContext } from "./context.ts";
import { examples } from "./options.ts";
import { scaffoldFilter } from "./filter-scaffold.ts";
import type { Terminal } from "./terminal.ts";

/** Adds `scrim filter`. */
export function addFilter(program: Command, { terminal }: CommandContext): void {
  program
    .command("filter")
    .description("write filters of your own")
    .command("new")
    .description("a filter with its test, ready to build")
    .argument("<name>", "small letters, digits and dashes")
    .option("--dir <directory>", "where to put it", "filters")
    .addHelpText("after", examples("scrim filter new greeting", "scrim filter new greeting --dir filters/examples"))
    .action((name: string, options: { dir: string }) => newFilter(name, options, process.cwd(), terminal));
}

/** Folders of filters/ that hold something else. */
const RESERVED = new Set(["sdk", "policy", "request", "build", "examples"]);

/** Writes the scaffold of filter `name` below `dir` (relative to `cwd`) and says what to do next. Never overwrites. */
export function newFilter(name: string, { dir }: { readonly dir: string }, cwd: string, terminal: Terminal): void {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name) || name.length > 63)
    throw commandFailure(
      "usage",
      `"${name}" is no filter's name: write small letters, digits and dashes, as in add-header.`,
    );
  if (RESERVED.has(name)) throw commandFailure("usage", `"${name}" is taken: filters/${name} holds something else.`);
  const entry = relative(cwd, resolve(cwd, dir, name))
    .split(sep)
    .join("/");
  if (entry.startsWith(".."))
    throw commandFailure(
      "usage",
      `--dir ${dir}: it must lie below the directory you are in, where as-proxy-wasm-sdk is installed.`,
    );
  const folder = join(cwd, entry);
  if (existsSync(folder)) throw commandFailure("failed", `${entry} exists; nothing was written.`);
  mkdirSync(folder, { recursive: true });
  const files = scaffoldFilter(name, entry);
  for (const [file, text] of files) writeFileSync(join(folder, file), text, { flag: "wx" });
  const written = [...files.keys()].map((file) => `  ${entry}/${file}\n`).join("");
  const next = [`npx vitest run --project filters ${entry}`, "node filters/build.mjs", "docs/writing-filters.md"];
  terminal.out(`${written}\nNext:\n${next.map((line) => `  ${line}\n`).join("")}`);
}
