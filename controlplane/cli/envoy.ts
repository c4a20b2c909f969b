import { type Command, InvalidArgumentError } from "commander";
import { locateEnvoy } from "../envoy/install.mjs";
import type { CommandContext } from "./context.ts";
import { examples } from "./options.ts";
import { findEnvoy } from "./up.ts";

/** Adds `scrim envoy`. */
export function addEnvoy(program: Command, context: CommandContext): void {
  program
    .command("envoy")
    .description("the Envoy that would be run: where it is, or fetch the pinned one")
    .argument("<action>", "path or fetch", (value: string) => {
      if (value !== "path" && value !== "fetch") throw new InvalidArgumentError("write path or fetch.");
      return value;
    })
    .addHelpText("after", examples("scrim envoy path", "scrim envoy fetch"))
    .action((action: "path" | "fetch") => envoyCommand(action, context));
}

/** Prints the path of the Envoy that would be used; `fetch` brings the pinned one into the cache when there is none. */
async function envoyCommand(action: "path" | "fetch", { environment, terminal }: CommandContext): Promise<void> {
  const say = (line: string) => terminal.err(`scrim: ${line}\n`);
  if (action === "path") {
    const { envoyPath, searchPath, cacheDir } = environment;
    const envoy = await locateEnvoy({ envoyPath, searchPath, cacheDir, arch: process.arch, report: say, fetch: false });
    return terminal.out(`${envoy.path}\n`);
  }
  const envoy = await findEnvoy(environment, say);
  say(`Envoy ${envoy.version} (from ${envoy.from})`);
  terminal.out(`${envoy.path}\n`);
}
