// Consumes: the command line.
// Produces: the command's effect and an exit code.
// Never does: more than wiring options to commands; each command has a file of its own.
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { readEnvironment } from "../settings/environment.ts";
import { installationOf } from "../settings/installation.ts";
import { SCRIM_VERSION } from "../settings/version.ts";
import { createSystemClock } from "../telemetry/clock.ts";
import { DEFAULT_ADMIN_URL } from "./admin-client.ts";
import { type BootstrapOptions, bootstrapCommand } from "./bootstrap.ts";
import type { CommandContext } from "./context.ts";
import { envoyCommand } from "./envoy.ts";
import { CommandFailure, exitCodes } from "./exit-codes.ts";
import { newFilter } from "./filter-new.ts";
import { type OutputFormat, renderValue } from "./output.ts";
import { addPlugin } from "./plugin/command.ts";
import { type ConfigKind, configKinds, proxyConfig } from "./proxy-config/command.ts";
import { proxyStatus } from "./proxy-status.ts";
import { changeRollout, rolloutStatus, rolloutVerbs } from "./rollout.ts";
import { serve } from "./serve.ts";
import { createTerminal } from "./terminal.ts";
import { translateCommand, type TranslateOptions, translateTypes } from "./translate.ts";
import { up } from "./up.ts";
import { describeVersion } from "./version.ts";
import { waitCommand, type WaitOptions } from "./wait.ts";

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
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    if (error instanceof CommandFailure) {
      terminal.err(`scrim: ${error.message}\n`);
      return error.exitCode;
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
  addEnvoy(program, context);
  addFilter(program, context);
  addPlugin(program, context);
  addVersion(program, context);
  return program;
}

const allowFetchOption = () =>
  new Option(
    "--allow-fetch-from <cidr>",
    "a range of addresses, beside public ones, that plugins may be fetched from; may be repeated",
  )
    .argParser(collect)
    .default([], "none");
const plainRegistryOption = () =>
  new Option("--plain-registry <host:port>", "a registry that is spoken to without TLS; may be repeated")
    .argParser(collect)
    .default([], "those of this machine");

function addUp(program: Command, context: CommandContext): void {
  program
    .command("up")
    .description("run a mesh directory on this machine: control plane, workloads, sidecars, gateways")
    .argument("<directory>", "the directory with the mesh's YAML files")
    .option(
      "--gateway-port <port>",
      "port for the Gateway's first HTTP port; 0 picks a free one (default: 8080 for port 80, or the next free one)",
    )
    .option(
      "--admin-port <port>",
      "port of the admin address; 0 picks a free one (default: 15014, or the next free one)",
    )
    .option("--xds-port <port>", "plaintext xDS on 127.0.0.1, for tools; no secrets on it (default: none)")
    .option("--state-dir <directory>", "keys, logs and runtime files (default: .scrim beside the mesh directory)")
    .option("--strict", "refuse deprecated spellings instead of warning")
    .option("--allow-empty", "when the directory becomes empty, remove everything")
    .option(
      "--certificate-lifetime <duration>",
      "how long a workload's certificate is valid, as in 24h or 10m (default: 24h)",
    )
    .addOption(allowFetchOption())
    .addOption(plainRegistryOption())
    .addHelpText(
      "after",
      "\nExamples:\n  scrim up deploy/demo/bookinfo\n  scrim up mesh --gateway-port 0 --admin-port 0 --state-dir mesh-state",
    )
    .action((directory: string, options) => up(directory, options, context));
}

function addServe(program: Command, context: CommandContext): void {
  program
    .command("serve")
    .description("run the control plane alone")
    .argument("<directory>", "the directory with the mesh's YAML files")
    .option("--runtime <directory>", "where `scrim up` tells of the pods it runs")
    .option("--state-dir <directory>", "keys (default: .scrim beside the mesh directory)")
    .option("--xds-address <host:port>", "where proxies connect, TLS (default: 127.0.0.1:15012)")
    .option(
      "--xds-port <port>",
      "plaintext xDS on 127.0.0.1, for proxies and tools that prove nothing; no secrets on it (default: none)",
    )
    .option("--admin-address <host:port>", "admin pages, loopback only (default: 127.0.0.1:15014)")
    .option("--strict", "refuse deprecated spellings instead of warning")
    .option("--allow-empty", "when the directory becomes empty, remove everything")
    .option(
      "--certificate-lifetime <duration>",
      "how long a workload's certificate is valid, as in 24h or 10m (default: 24h)",
    )
    .addOption(allowFetchOption())
    .addOption(plainRegistryOption())
    .addHelpText("after", "\nExample:\n  scrim serve mesh --xds-address 127.0.0.1:15012")
    .action((directory: string, options) => serve(directory, options, context));
}

const adminOption = () => new Option("--admin <url>", "the mesh's admin address").default(DEFAULT_ADMIN_URL);
const outputOption = () =>
  new Option("-o, --output <format>", "how to print").choices(["table", "json", "yaml"]).default("table");

function addProxyStatus(program: Command, context: CommandContext): void {
  program
    .command("proxy-status")
    .alias("ps")
    .description("every proxy, and how far it is in sync")
    .addOption(adminOption())
    .addOption(outputOption())
    .addHelpText("after", "\nExamples:\n  scrim proxy-status\n  scrim ps -o json --admin http://127.0.0.1:15015")
    .action((options: { admin: string; output: OutputFormat }) => proxyStatus(options, context.terminal));
}

function addProxyConfig(program: Command, context: CommandContext): void {
  const parent = program
    .command("proxy-config")
    .alias("pc")
    .description("what one proxy's Envoy has")
    .addHelpText(
      "after",
      "\nA proxy is named by pod or workload, with the namespace where it is needed:\n  scrim proxy-config cluster reviews-v1\n  scrim pc route default/productpage-v1 -o json\n  scrim pc ecds istio-ingressgateway.istio-system",
    );
  const aliases: Partial<Record<ConfigKind, readonly string[]>> = {
    cluster: ["clusters", "c"],
    listener: ["listeners", "l"],
    route: ["routes", "r"],
    endpoint: ["endpoints", "ep"],
    secret: ["secrets", "s"],
    ecds: ["ec"],
  };
  for (const kind of configKinds) {
    parent
      .command(kind)
      .aliases([...(aliases[kind] ?? [])])
      .description(`the proxy's ${kind === "ecds" ? "filter configurations that came by ECDS" : `${kind}s`}`)
      .argument("<proxy>", "pod or workload")
      .addOption(adminOption())
      .addOption(outputOption())
      .action((proxy: string, options: { admin: string; output: OutputFormat }) =>
        proxyConfig(kind, proxy, { ...options, nowMs: context.clock.nowMs() }, context.terminal),
      );
  }
}

function addWait(program: Command, context: CommandContext): void {
  program
    .command("wait")
    .description("wait until every proxy that a change concerns has acknowledged it")
    .argument("<files...>", "files or directories with the documents; their state in the mesh is waited for")
    .addOption(new Option("--for <what>", "what to wait for").choices(["distribution"]).default("distribution"))
    .option("--timeout <duration>", "how long to wait at most, as in 30s or 2m", "30s")
    .addOption(adminOption())
    .addOption(new Option("-o, --output <format>", "how to print").choices(["table", "json", "yaml"]).default("table"))
    .addHelpText(
      "after",
      "\nExamples:\n  scrim wait --for=distribution mesh/reviews.yaml\n  scrim wait --for=distribution mesh --timeout 2m",
    )
    .action((files: readonly string[], options: WaitOptions) => waitCommand(files, options, context));
}

function addRollout(program: Command, context: CommandContext): void {
  const parent = program
    .command("rollout")
    .description("which version of a plugin its proxies get")
    .addHelpText(
      "after",
      "\nA plugin is named NAME or NAMESPACE/NAME. How a new version is rolled out stands in the WasmPlugin's annotation scrim.mesh/rollout.\n\nExamples:\n  scrim rollout status\n  scrim rollout status shop/header -o json\n  scrim rollout undo header",
    );
  parent
    .command("status")
    .description("the versions of all plugins, or of one with its history")
    .argument("[plugin]", "NAME or NAMESPACE/NAME")
    .addOption(adminOption())
    .addOption(outputOption())
    .action((plugin: string | undefined, options: { admin: string; output: OutputFormat }) =>
      rolloutStatus(plugin, options, context.terminal),
    );
  const descriptions = {
    promote: "give the new version to all proxies now",
    abort: "take the new version back",
    undo: "go back to the version before",
  } as const;
  for (const verb of rolloutVerbs) {
    parent
      .command(verb)
      .description(descriptions[verb])
      .argument("<plugin>", "NAME or NAMESPACE/NAME")
      .addOption(adminOption())
      .action((plugin: string, options: { admin: string }) => changeRollout(verb, plugin, options, context.terminal));
  }
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

function addTranslate(program: Command, context: CommandContext): void {
  program
    .command("translate")
    .description("what a workload's proxy would be told, from files alone")
    .requiredOption("-f, --filename <path>", "file or directory; may be repeated", collect, [])
    .requiredOption("--proxy <namespace/workload>", "the workload")
    .addOption(new Option("--type <type>", "only one kind of resource").choices(translateTypes))
    .addOption(new Option("-o, --output <format>", "how to print").choices(["json", "yaml"]).default("yaml"))
    .option("--strict", "refuse deprecated spellings instead of warning")
    .addHelpText(
      "after",
      "\nExamples:\n  scrim translate -f deploy/demo/bookinfo --proxy default/productpage-v1\n  scrim translate -f a.yaml -f b.yaml --proxy default/web --type route -o json",
    )
    .action((options: TranslateOptions) => translateCommand(options, context));
}

function addBootstrap(program: Command, context: CommandContext): void {
  program
    .command("bootstrap")
    .description("print the Envoy bootstrap of a proxy")
    .requiredOption("--proxy <namespace/name>", "the pod")
    .option("--kind <kind>", "sidecar or router", "sidecar")
    .option("--ip <address>", "the pod's address", "127.0.0.1")
    .option("--service-account <name>", "its service account", "default")
    .option("--label <name=value>", "a label of the pod; may be repeated", collect, [])
    .option("--stat-tag <name>", "a label of metrics beyond the standard ones; may be repeated", collect, [])
    .option("--xds-address <host:port>", "the control plane", "127.0.0.1:15012")
    .option("--admin-port <port>", "Envoy's admin page, on 127.0.0.1", "15000")
    .option("--state-dir <directory>", "the control plane's state directory, for its root certificate", ".scrim")
    .option(
      "--root-cert <file>",
      "the control plane's root certificate (default: ca/root-cert.pem in the state directory)",
    )
    .option("--trust-domain <domain>", "the mesh's trust domain", "cluster.local")
    .option("--token <token>", "the proxy's credential")
    .option(
      "--issue-token",
      "make the proxy a credential in the state directory of a control plane that `scrim serve` runs",
    )
    .addOption(new Option("-o, --output <format>", "how to print").choices(["json", "yaml"]).default("json"))
    .addHelpText(
      "after",
      "\nExample:\n  scrim bootstrap --proxy default/reviews-v1-0 --ip 127.10.4.7 --service-account bookinfo-reviews --label app=reviews --issue-token > envoy.json",
    )
    .action((options: BootstrapOptions) => bootstrapCommand(options, context));
}

function addEnvoy(program: Command, context: CommandContext): void {
  program
    .command("envoy")
    .description("the Envoy that would be run: where it is, or fetch the pinned one")
    .argument("<action>", "path or fetch", (value: string) => {
      if (value !== "path" && value !== "fetch") throw new InvalidArgumentError("write path or fetch.");
      return value;
    })
    .addHelpText("after", "\nExamples:\n  scrim envoy path\n  scrim envoy fetch")
    .action((action: "path" | "fetch") => envoyCommand(action, context));
}

function addFilter(program: Command, context: CommandContext): void {
  program
    .command("filter")
    .description("write filters of your own")
    .command("new")
    .description("a filter with its test, ready to build")
    .argument("<name>", "small letters, digits and dashes")
    .option("--dir <directory>", "where to put it", "filters")
    .addHelpText(
      "after",
      "\nExamples:\n  scrim filter new greeting\n  scrim filter new greeting --dir filters/examples",
    )
    .action((name: string, options: { dir: string }) => newFilter(name, options, process.cwd(), context.terminal));
}

function addVersion(program: Command, context: CommandContext): void {
  program
    .command("version")
    .description("versions of Scrim, Node and the Envoys that fit")
    .addOption(new Option("-o, --output <format>", "how to print").choices(["text", "json", "yaml"]).default("text"))
    .action(({ output }: { output: "text" | "json" | "yaml" }) => {
      const version = describeVersion(process.versions.node);
      if (output !== "text") return context.terminal.out(renderValue(version, output));
      context.terminal.out(
        `scrim ${version.scrim}\nnode ${version.node}\nenvoy ${version.envoy.pinned} (pinned; ${version.envoy.oldest} or newer works)\n`,
      );
    });
}
