// consumes: settings as `scrim serve` makes them, and questions
// produces: a control plane in this process, and what this process holds
// never does: outlive its parent
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { queryObjects, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createControlPlane } from "../../controlplane/main.ts";
import { installationOf } from "../../controlplane/settings/installation.ts";
import type { ServeSettings } from "../../controlplane/settings/settings.ts";
import { createSystemClock } from "../../controlplane/telemetry/clock.ts";
import { createLogger } from "../../controlplane/telemetry/logger.ts";
import { createMetrics } from "../../controlplane/telemetry/metrics.ts";
import { root } from "../places.ts";
import type { FromControlPlane, ProcessSample, ToControlPlane } from "./messages.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;
const tell = (message: FromControlPlane): void => void process.send?.(message);
const LOOP_RESOLUTION_MS = 10;
const loop = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
loop.enable();
const counted = { Map, Set, Promise, AbortController } as const;

async function start(settings: ServeSettings): Promise<void> {
  const controlPlane = createControlPlane(settings, {
    logger: createLogger(settings.logLevel, process.stderr),
    clock: createSystemClock(),
    metrics: createMetrics(),
    installation: installationOf(join(root, "controlplane/cli/scrim.mjs")),
    random: Math.random,
    complain: (line) => void process.stderr.write(`${line}\n`),
  });
  await controlPlane.start();
  while (!controlPlane.view.isReady()) await delay(10);
}

async function sample(): Promise<ProcessSample> {
  const [p99, max] = [loop.percentile(99), loop.max].map((nanoseconds) =>
    Math.max(0, nanoseconds / 1e6 - LOOP_RESOLUTION_MS),
  ) as [number, number];
  const { user, system } = process.cpuUsage();
  // What one collection finds dead may be held by what the next one finds; finalizers run between.
  for (let time = 0; time < 3; time++) {
    collectGarbage();
    await delay(20);
  }
  loop.reset();
  const { heapUsed, external, rss } = process.memoryUsage();
  const resources: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
  return {
    loopDelayMs: { p99, max },
    cpuMs: (user + system) / 1000,
    heapBytes: heapUsed,
    externalBytes: external,
    residentBytes: rss,
    resources,
    fileDescriptors: readdirSync("/proc/self/fd").length,
    objects: Object.fromEntries(
      Object.entries(counted).map(([name, constructor]) => [
        name,
        Number(queryObjects(constructor, { format: "count" })),
      ]),
    ),
  };
}

process.on("message", (message: ToControlPlane) => {
  if (message.kind === "sample") return void sample().then((taken) => tell({ kind: "sampled", sample: taken }));
  start(message.settings).then(
    () => tell({ kind: "ready" }),
    (error: unknown) => tell({ kind: "failed", reason: String(error) }),
  );
});
process.on("disconnect", () => process.exit(0));
