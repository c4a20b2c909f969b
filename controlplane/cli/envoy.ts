import { locateEnvoy } from "../envoy/install.mjs";
import type { CommandContext } from "./context.ts";
import { findEnvoy } from "./up.ts";

/** Prints the path of the Envoy that would be used; `fetch` brings the pinned one into the cache when there is none. */
export async function envoyCommand(action: "path" | "fetch", { environment, terminal }: CommandContext): Promise<void> {
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
