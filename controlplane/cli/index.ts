// Consumes: the command line.
// Produces: the command's effect and an exit code.
// Never does: know an option; each command has a file of its own, with its options beside what it does.
import { Command, CommanderError } from "commander";
import { ScrimError } from "../model/failure.ts";
import { readEnvironment } from "../settings/environment.ts";
import { installationOf } from "../settings/installation.ts";
import { SCRIM_VERSION } from "../settings/version.ts";
import { createSystemClock } from "../telemetry/clock.ts";
import { addBootstrap } from "./bootstrap/command.ts";
import type { CommandContext } from "./context.ts";
import { addEnvoy } from "./envoy.ts";
import { EXIT_OK, exitCodeOf, exitCodes } from "./exit-codes.ts";
import { addFilter } from "./filter-new.ts";
import { addInject } from "./kube-inject.ts";
import { addPlugin } from "./plugin/command.ts";
import { addProxyConfig } from "./proxy-config/command.ts";
import { addProxyStatus } from "./proxy-status.ts";
import { addRollout } from "./rollout.ts";
import { addServe } from "./serve.ts";
import { addInstallation } from "./install/commands.ts";
import { createTerminal } from "./terminal.ts";
import { addTranslate } from "./translate.ts";
import { addUp } from "./up.ts";
import { addVersion } from "./version.ts";
import { addWait } from "./wait.ts";

const EXIT_CODES_HELP = `
Exit codes:
  0  done (also: \`up\` and \`serve\` were asked to stop)
  1  it could not be done; one sentence on standard error says why
  2  wrong usage
  3  the mesh, or a proxy's admin page, does not answer
  4  there is no such proxy or workload
  5  the documents given are not valid

Environment:
  ENVOY_PATH        the Envoy to run; else an \`envoy\` on PATH, else the pinned one
  SCRIM_CACHE_DIR   where fetched things are kept (default ~/.cache/scrim)
  HTTPS_PROXY       through what plugins are fetched; also HTTP_PROXY, NO_PROXY
  SCRIM_LOG_LEVEL   trace, debug, info, warn, error or silent (default info)`;

/** Runs a command line; resolves to the exit code. `launcher` is the script that started this process. */
export async function main(argv: readonly string[], launcher: string): Promise<number> {
  const terminal = createTerminal();
  const program = createProgram({
    environment: readEnvironment(),
    installation: installationOf(launcher),
    terminal,
    clock: createSystemClock(),
  });
  try {
    await program.parseAsync([...argv], { from: "user" });
    return EXIT_OK;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : exitCodes.usage;
    if (error instanceof ScrimError) {
      terminal.err(`scrim: ${error.message}\n`);
      return exitCodeOf(error);
    }
    terminal.err(`scrim: unexpected: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return exitCodes.failed;
  }
}

/** Returns the whole command tree. */
export function createProgram(context: CommandContext): Command {
  const program = new Command("scrim")
    .description("A service mesh: Istio's API on stock Envoy, run from a directory of YAML.")
    .version(SCRIM_VERSION, "-V, --version");
  program
    .exitOverride()
    .configureOutput({ writeOut: context.terminal.out, writeErr: context.terminal.err })
    .showHelpAfterError("(--help shows what there is)")
    .addHelpText("after", EXIT_CODES_HELP);
  addUp(program, context);
  addServe(program, context);
  addProxyStatus(program, context);
  addProxyConfig(program, context);
  addWait(program, context);
  addRollout(program, context);
  addTranslate(program, context);
  addBootstrap(program, context);
  addInject(program, context);
  addEnvoy(program, context);
  addInstallation(program, context);
  addFilter(program, context);
  addPlugin(program, context);
  addVersion(program, context);
  return program;
}
