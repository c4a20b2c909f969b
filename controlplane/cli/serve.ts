import { sep } from "node:path";
import { createControlPlane } from "../main.ts";
import { readServeSettings, type ServeOptions } from "../settings/settings.ts";
import { StartError } from "../settings/start-error.ts";
import { createLogger } from "../telemetry/logger.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import type { CommandContext } from "./context.ts";
import { requireDirectory } from "./directory.ts";
import { CommandFailure, exitCodes } from "./exit-codes.ts";
import { listenForStop } from "./stop-signals.ts";

/** Runs the control plane alone, until it is asked to stop. */
export async function serve(
  directory: string,
  options: ServeOptions,
  { environment, installation, terminal, clock }: CommandContext,
): Promise<void> {
  const read = readServeSettings(directory, options, environment);
  if (read.kind === "refused") throw new CommandFailure(exitCodes.usage, read.message);
  // Under `scrim up` it was there; if it vanished since, what it held last stays in force.
  if (options.runtime === undefined) await requireDirectory(directory);
  const stop = listenForStop({ followParent: false, clock });
  const logger = createLogger(environment.logLevel);
  const controlPlane = createControlPlane(read.settings, {
    logger,
    clock,
    metrics: createMetrics(),
    random: Math.random,
    installation,
    complain: (line) => terminal.err(`${fromHere(line)}\n`),
  });
  try {
    await controlPlane.start();
  } catch (error) {
    if (error instanceof StartError) throw new CommandFailure(exitCodes.failed, error.message, { cause: error });
    throw error;
  }
  await stop.whenAsked;
  await controlPlane.stop();
}

/** A line that begins with a file below the folder that people are in names the file from there, as they do. */
function fromHere(line: string): string {
  const here = `${process.cwd()}${sep}`;
  return line.startsWith(here) ? line.slice(here.length) : line;
}
