// Consumes: the command line.
// Produces: the commands about an installation on a cluster.
// Never does: load what only such a command needs before one runs: a mesh of this machine starts without.
import type { Command } from "commander";
import type { CommandContext } from "../context.ts";
import { examples } from "../options.ts";
import type { InstallOptions } from "./install.ts";
import { type ClusterOptions, type ValuesOptions, withCluster, withValues } from "./options.ts";
import type { UninstallOptions } from "./uninstall.ts";

/** Adds `scrim install`, `upgrade`, `verify-install`, `uninstall`, `manifest` and `x`. */
export function addInstallation(program: Command, context: CommandContext): void {
  withApply(program.command("install").description("put the mesh into a cluster, and wait until it is ready"))
    .addHelpText(
      "after",
      examples("scrim install --set profile=demo -y", "scrim install -f operator.yaml --revision canary"),
    )
    .action(async (options: InstallOptions) => (await import("./install.ts")).install(options, context, false));
  const upgrade = "bring what is installed to this version, with the values it has and those given";
  withApply(program.command("upgrade").description(upgrade)).action(async (options: InstallOptions) =>
    (await import("./install.ts")).install(options, context, true),
  );
  withCluster(
    program.command("verify-install").description("whether what was installed is there as it was, and ready"),
  ).action(async (options: ClusterOptions) => (await import("./verify-install.ts")).verifyInstall(options, context));
  withConfirmation(withCluster(program.command("uninstall").description("take the mesh out of a cluster")))
    .option("--purge", "every revision, the kinds' definitions and all that people wrote in them")
    .action(async (options: UninstallOptions) => (await import("./uninstall.ts")).uninstall(options, context));
  addManifest(program, context);
  addExperimental(program, context);
}

function addManifest(program: Command, context: CommandContext): void {
  const parent = program.command("manifest").description("what an installation consists of");
  withCluster(withValues(parent.command("generate").description("print what `scrim install` applies")))
    .addHelpText("after", examples("scrim manifest generate --set profile=minimal | kubectl apply --server-side -f -"))
    .action(async (options: ClusterOptions & ValuesOptions) =>
      (await import("./manifest.ts")).generate(options, context),
    );
}

function addExperimental(program: Command, context: CommandContext): void {
  const parent = program.command("x").alias("experimental").description("more, which may change");
  withCluster(parent.command("precheck").description("whether an installation would work in a cluster")).action(
    async (options: ClusterOptions) => (await import("./precheck.ts")).precheckCommand(options, context),
  );
  parent
    .command("reach")
    .description("ask an address until it answers well; what `helm test` runs")
    .argument("<url>", "as in http://istiod.istio-system.svc:15014/ready")
    .action(async (url: string) => (await import("./reach.ts")).reach(url, context));
}

function withApply(command: Command): Command {
  return withConfirmation(withCluster(withValues(command)))
    .option("--dry-run", "say what would change, and change nothing")
    .option("--readiness-timeout <duration>", "how long it may take until everything is ready", "5m");
}

function withConfirmation(command: Command): Command {
  return command.option("-y, --yes", "do not ask").option("--skip-confirmation", "the same");
}
