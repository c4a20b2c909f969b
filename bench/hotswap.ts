// consumes: a hand-written module that puts its version into every response, and the project's xDS server
// produces: what swapping that module on a live Envoy under load cost: failed requests, time until the last old answer
// never does: count a swap that nobody was asked during
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { type BenchEnvoy, startEnvoy } from "./envoy.ts";
import { LISTENER, resourcesOf } from "./hotswap/resources.ts";
import { startResourceServer } from "./hotswap/server.ts";
import { startGenerator } from "./load/load.ts";
import { type LoadResult, machineMs } from "./load/messages.ts";
import { compileRaw } from "./modules/compile.ts";
import type { BenchOptions } from "./options.ts";
import { quantile } from "./statistics.ts";
import { renderTable } from "./table.ts";

const WORKERS = 2;
const WARM_UP_MS = 1000;
const BETWEEN_MS = 200;

interface Swap {
  /** From the publication until the first answer of the new version, and until the last of an older one. */
  readonly firstNewMs: number;
  readonly lastOldMs: number;
}

/** Runs the bench and returns its results for the JSON file. */
export async function benchHotswap(options: BenchOptions, print: (line: string) => void): Promise<object> {
  const swaps = options.swaps ?? (options.quick ? 10 : 100);
  const module = await readFile(await compileRaw("version"));
  const server = await startResourceServer(resourcesOf(module, "v0"));
  const generator = startGenerator();
  let envoy: BenchEnvoy | undefined;
  try {
    envoy = await startEnvoy(server.bootstrap, WORKERS);
    const port = await envoy.port(LISTENER);
    const load = generator.start({ port, path: "/", headers: {}, connections: options.connections ?? 16, durationMs: undefined, watch: "x-version" });
    await delay(WARM_UP_MS);
    const bytesBefore = envoy.residentBytes();
    const publishedMs: number[] = [];
    for (let number = 1; number <= swaps; number++) {
      publishedMs.push(machineMs());
      server.publish(resourcesOf(module, `v${number}`));
      await delay(BETWEEN_MS);
    }
    await delay(WARM_UP_MS);
    const grownBytes = envoy.residentBytes() - bytesBefore;
    load.stop();
    const result = await load.result;
    const times = publishedMs.map((startMs, index) => timesOf(result, index + 1, startMs));
    report({ envoy, swaps, result, times, grownBytes, rejections: server.rejections() }, print);
    return { envoy: envoy.version, workers: WORKERS, swaps, grownBytes, times, rejections: server.rejections(), load: { ...result, seen: undefined } };
  } finally {
    await generator.close();
    await envoy?.stop();
    await server.close();
  }
}

/** A version that was never seen has NaN: it was replaced before anyone was served by it. */
function timesOf({ seen }: LoadResult, number: number, startMs: number): Swap {
  return { firstNewMs: (seen[`v${number}`]?.firstMs ?? NaN) - startMs, lastOldMs: Math.max(0, (seen[`v${number - 1}`]?.lastMs ?? NaN) - startMs) };
}

interface Outcome {
  readonly envoy: BenchEnvoy;
  readonly swaps: number;
  readonly result: LoadResult;
  readonly times: readonly Swap[];
  readonly grownBytes: number;
  readonly rejections: readonly string[];
}

function report({ envoy, swaps, result, times, grownBytes, rejections }: Outcome, print: (line: string) => void): void {
  const row = (name: string, pick: (swap: Swap) => number): readonly string[] => {
    const sorted = times.map(pick).filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
    return [name, ...[quantile(sorted, 0.5), quantile(sorted, 0.99), quantile(sorted, 1)].map((value) => value.toFixed(1)), String(sorted.length)];
  };
  print(`Envoy ${envoy.version}, ${WORKERS} workers, ${swaps} swaps, one every ${BETWEEN_MS} ms, ${(result.requests / result.seconds).toFixed(0)} requests/s all the while\n`);
  print(renderTable(["from the publication until", "p50 ms", "p99 ms", "max ms", "swaps"], [row("the first new answer", ({ firstNewMs }) => firstNewMs), row("the last old answer", ({ lastOldMs }) => lastOldMs)]));
  const failed = Object.entries(result.failures);
  const count = failed.reduce((sum, [, number]) => sum + number, 0);
  const unversioned = result.seen[""]?.answers ?? 0;
  print(`\nrequests: ${result.requests}, failed: ${count}${count > 0 ? ` (${failed.map(([kind, number]) => `${kind}: ${number}`).join(", ")})` : ""}, answered without the filter: ${unversioned}`);
  print(`requests: p50 ${result.p50Ms.toFixed(2)} ms, p99 ${result.p99Ms.toFixed(2)} ms, max ${result.maxMs.toFixed(1)} ms; memory grew by ${(grownBytes / 2 ** 20).toFixed(1)} MiB`);
  for (const rejection of rejections) print(`rejected: ${rejection}`);
}
