import type { Command } from "commander";
import { OLDEST_ENVOY, PINNED_ENVOY } from "../envoy/install.mjs";
import type { CommandContext } from "./context.ts";
import { outputOption } from "./options.ts";
import { renderValue } from "./output.ts";
import { SCRIM_VERSION } from "../settings/version.ts";

/** Adds `scrim version`. */
export function addVersion(program: Command, { terminal }: CommandContext): void {
  program
    .command("version")
    .description("versions of Scrim, Node and the Envoys that fit")
    .addOption(outputOption("text", "json", "yaml"))
    .action(({ output }: { output: "text" | "json" | "yaml" }) => {
      const version = describeVersion(process.versions.node);
      if (output !== "text") return terminal.out(renderValue(version, output));
      const { pinned, oldest } = version.envoy;
      terminal.out(
        `scrim ${version.scrim}\nnode ${version.node}\nenvoy ${pinned} (pinned; ${oldest} or newer works)\n`,
      );
    });
}

/** Returns what `scrim version` prints. */
function describeVersion(nodeVersion: string): {
  readonly scrim: string;
  readonly node: string;
  readonly envoy: { readonly pinned: string; readonly oldest: string };
} {
  return { scrim: SCRIM_VERSION, node: nodeVersion, envoy: { pinned: PINNED_ENVOY.version, oldest: OLDEST_ENVOY } };
}
