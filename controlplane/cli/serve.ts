import type { Command } from "commander";
import { sep } from "node:path";
import { openAccess } from "../kubernetes/access.ts";
import type { ApiClient } from "../kubernetes/api-client.ts";
import { createApiClient } from "../kubernetes/http-api-client.ts";
import { isFailed } from "../model/failure.ts";
import { createControlPlane } from "../main.ts";
import { type ClusterSettings, readServeSettings, type ServeOptions } from "../settings/settings.ts";
import { SCRIM_VERSION } from "../settings/version.ts";
import type { Clock } from "../telemetry/clock.ts";
import { createLogger } from "../telemetry/logger.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import type { CommandContext } from "./context.ts";
import { requireDirectory } from "./directory.ts";
import { commandFailure } from "./exit-codes.ts";
import { examples, withMeshOptions } from "./options.ts";
import { listenForStop } from "./stop-signals.ts";
import { timed } from "./terminal.ts";

/** Adds `scrim serve`. */
export function addServe(program: Command, context: CommandContext): void {
  const command = program
    .command("serve")
    .description("run the control plane alone")
    .argument("[directory]", "the directory with the mesh's YAML files")
    .option("--kubernetes", "read the mesh from a cluster's API server instead")
    .option("--kubeconfig <file>", "the cluster, and who asks (default: KUBECONFIG, this pod's own, ~/.kube/config)")
    .option("--context <name>", "the kubeconfig's context to use")
    .option("-n, --namespace <name>", "the control plane's own namespace (default: this pod's, else istio-system)")
    .option("--revision <name>", "which revision of the control plane this is (default: default)")
    .option("--token-audience <name>", "what pods' tokens for the mesh are made for (default: istio-ca)")
    .option(
      "--webhook-address <host:port>",
      "where the cluster's API server asks of pods and objects (default: in a pod, 0.0.0.0:15017)",
    )
    .option("--runtime <directory>", "where `scrim up` tells of the pods it runs")
    .option("--state-dir <directory>", "keys (default: .scrim beside the mesh directory, or with --kubernetes, here)")
    .option("--xds-address <host:port>", "where proxies connect, TLS (default: 127.0.0.1:15012)")
    .option(
      "--xds-port <port>",
      "plaintext xDS on 127.0.0.1, for proxies and tools that prove nothing; no secrets on it (default: none)",
    );
  withMeshOptions(command, "15014")
    .addHelpText(
      "after",
      examples("scrim serve mesh --xds-address 127.0.0.1:15012", "scrim serve --kubernetes --context staging"),
    )
    .action((directory: string | undefined, options: ServeOptions) => serve(directory, options, context));
}

/** Runs the control plane alone, until it is asked to stop. */
export async function serve(
  directory: string | undefined,
  options: ServeOptions,
  { environment, installation, terminal, clock }: CommandContext,
): Promise<void> {
  const read = readServeSettings(directory, options, environment);
  if (isFailed(read)) throw commandFailure("usage", read.message);
  // Under `scrim up` it was there; if it vanished since, what it held last stays in force.
  if (directory !== undefined && options.runtime === undefined) await requireDirectory(directory);
  const client = read.settings.cluster && (await connect(read.settings.cluster, clock));
  const stop = listenForStop({ followParent: false, clock });
  const say = timed(clock, (text) => terminal.err(text));
  const logger = createLogger(environment.logLevel);
  const controlPlane = createControlPlane(read.settings, {
    logger,
    clock,
    metrics: createMetrics(),
    random: Math.random,
    installation,
    client,
    complain: (line) => say(fromHere(line)),
    tell: options.quiet === true ? undefined : say,
  });
  // A cluster that does not answer is waited for, and whoever waits may be asked to stop.
  await Promise.race([controlPlane.start(), stop.whenAsked]);
  await stop.whenAsked;
  await controlPlane.stop();
}

async function connect({ access: settings }: ClusterSettings, clock: Clock): Promise<ApiClient> {
  const access = await openAccess(settings);
  if (isFailed(access)) throw commandFailure("failed", access.message);
  return createApiClient({ access, clock, userAgent: `scrim/${SCRIM_VERSION}` });
}

/** A line that begins with a file below the folder that people are in names the file from there, as they do. */
function fromHere(line: string): string {
  const here = `${process.cwd()}${sep}`;
  return line.startsWith(here) ? line.slice(here.length) : line;
}
