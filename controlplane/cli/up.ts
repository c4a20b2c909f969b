// `scrim up`: runs a mesh directory on this machine until it is asked to stop.
import type { Command } from "commander";
import { LABELS } from "../../filters/telemetry/labels.ts";
import { type LocatedEnvoy, EnvoyUnavailable, locateEnvoy } from "../envoy/install.mjs";
import { isFailed } from "../model/failure.ts";
import { findPrograms, type Programs } from "../local/isolation/programs.ts";
import { watchMesh } from "../local/mesh-watch.ts";
import { type RunnerDeps, type RunningMesh, startMesh } from "../local/runner.ts";
import type { Environment } from "../settings/environment.ts";
import { readUpSettings, type UpOptions, type UpSettings } from "../settings/settings.ts";
import type { CommandContext } from "./context.ts";
import { requireDirectory } from "./directory.ts";
import { commandFailure } from "./exit-codes.ts";
import { listenForStop } from "./stop-signals.ts";
import { examples, withMeshOptions } from "./options.ts";
import { timed } from "./terminal.ts";
import { describeMesh } from "./up-report.ts";

/** Adds `scrim up`. */
export function addUp(program: Command, context: CommandContext): void {
  const command = program
    .command("up")
    .description("run a mesh directory on this machine: control plane, workloads, sidecars, gateways")
    .argument("<directory>", "the directory with the mesh's YAML files")
    .option(
      "--gateway-port <port>",
      "port for the Gateway's first HTTP port; 0 picks a free one (default: 8080 for port 80, or the next free one)",
    )
    .option(
      "--isolate",
      "a network of its own for each pod, as root: its programs' connections come to its sidecar by themselves",
    )
    .option("--xds-port <port>", "plaintext xDS on 127.0.0.1, for tools; no secrets on it (default: none)")
    .option("--state-dir <directory>", "keys, logs and runtime files (default: .scrim beside the mesh directory)");
  withMeshOptions(command, "15014, or the next free one")
    .addHelpText(
      "after",
      examples(
        "scrim up deploy/demo/bookinfo",
        "sudo npx scrim up deploy/demo/bookinfo --isolate",
        "scrim up mesh --gateway-port 0 --admin-port 0 --state-dir mesh-state",
      ),
    )
    .action((directory: string, options: UpOptions) => up(directory, options, context));
}

/** After this time people are told where the mesh is and what it still waits for. */
const PATIENCE_MS = 10_000;

/** Starts the mesh, tells where it is, and ends it when asked. */
export async function up(directory: string, options: UpOptions, context: CommandContext): Promise<void> {
  const { environment, terminal } = context;
  const read = readUpSettings(directory, options, environment);
  if (isFailed(read)) throw commandFailure("usage", read.message);
  await requireDirectory(directory);
  const isolation = read.settings.isolate ? isolationPrograms() : undefined;
  const stop = listenForStop({ followParent: environment.startedByNpm, clock: context.clock });
  const say = timed(context.clock, (text) => terminal.out(text));
  const envoy = await Promise.race([findEnvoy(environment, say), stop.whenAsked]);
  if (envoy === undefined) return;
  const mesh = await start(read.settings, envoy, context, { say, stopAsked: stop.asked, isolation });
  if (mesh === undefined) return;
  await Promise.race([tellWhenSynced(mesh, envoy, context, stop.asked), stop.whenAsked]);
  await stop.whenAsked;
  say("stopping");
  await mesh.stop();
  say("stopped");
}

/** Returns the Envoy to use, fetched if there is none; expected failures become a sentence. */
export async function findEnvoy(
  { envoyPath, searchPath, cacheDir }: Environment,
  say: (line: string) => void,
): Promise<LocatedEnvoy> {
  try {
    return await locateEnvoy({ envoyPath, searchPath, cacheDir, arch: process.arch, report: say });
  } catch (error) {
    if (error instanceof EnvoyUnavailable) throw commandFailure("failed", error.message, { cause: error });
    throw error;
  }
}

/** Returns what pods are given networks with; what is missing becomes a sentence. */
function isolationPrograms(): Programs {
  const found = findPrograms({ uid: process.getuid?.(), platform: process.platform });
  if (isFailed(found)) throw commandFailure("failed", found.message);
  return found.programs;
}

/** Returns the started mesh; undefined when it was asked to stop meanwhile. */
async function start(
  settings: UpSettings,
  envoy: LocatedEnvoy,
  { installation, clock }: CommandContext,
  deps: Pick<RunnerDeps, "say" | "stopAsked" | "isolation">,
): Promise<RunningMesh | undefined> {
  const started = await startMesh(settings, {
    envoyBinary: envoy.path,
    launcher: installation.launcher,
    metricLabels: LABELS,
    clock,
    random: Math.random,
    ...deps,
    watchMesh,
  });
  if (isFailed(started) && deps.stopAsked.aborted) return undefined;
  if (isFailed(started)) throw commandFailure("failed", started.message);
  return started.mesh;
}

/** Tells where the mesh is, and once that it is up. */
export async function tellWhenSynced(
  mesh: Pick<RunningMesh, "waitUntilSynced" | "admin" | "world">,
  envoy: LocatedEnvoy,
  { terminal }: Pick<CommandContext, "terminal">,
  asked: AbortSignal,
): Promise<void> {
  const soon = await mesh.waitUntilSynced(PATIENCE_MS, asked);
  if (asked.aborted) return;
  const first = await describeMesh(mesh, envoy, soon);
  terminal.out(first.text);
  // What was waited for may have come while people were told.
  if (first.isUp || !(await mesh.waitUntilSynced(Infinity, asked))) return;
  terminal.out((await describeMesh(mesh, envoy, true)).text);
}
