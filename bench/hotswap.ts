// consumes: a hand-written module that puts its version into every response, the rate limit filter, and the project's
// xDS server
// produces: what swapping both on a live Envoy under load cost: failed requests, broken streams, time until the last
// old answer, lost quota, memory
// never does: count a swap that nobody was asked during
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Envoy, startEnvoy } from "../test/support/envoy.ts";
import { type HotswapResult, reportHotswap, type SwapTimes } from "./hotswap/report.ts";
import { changesLimit, LISTENER, QUOTA_PATH, resourcesOf, type Swapped } from "./hotswap/resources.ts";
import { type ResourceServer, startResourceServer } from "./hotswap/server.ts";
import { startStreams, type StreamsProcess } from "./hotswap/streams.ts";
import { type Generator, startGenerator } from "./load/load.ts";
import { type LoadResult, machineMs } from "./load/messages.ts";
import { compileRaw } from "./modules/compile.ts";
import type { BenchOptions } from "./options.ts";
import { root } from "./places.ts";
import { residentBytesOf } from "./process-cost.ts";

const WORKERS = 2;
const WARM_UP_MS = 1000;
const BETWEEN_MS = 200;
/** Between the swaps that are only made to see what they leave behind. */
const BETWEEN_MORE_MS = 50;
const STREAMS_BEAT_MS = 2000;

/** What the command asks for, with its defaults. */
interface Plan {
  readonly swaps: number;
  /** Swaps after the measured ones, under a light load, to see memory. */
  readonly more: number;
  readonly streams: number;
  readonly connections: number;
  /** Tokens of the quota, and requests per second that ask for them: about twice as many as there are. */
  readonly quota: number;
  readonly askPerSecond: number;
}

function planOf({ quick, swaps: asked, streams, connections }: BenchOptions): Plan {
  const swaps = asked ?? (quick ? 10 : 100);
  const seconds = (swaps * BETWEEN_MS) / 1000;
  const quota = Math.max(20, Math.round(seconds * 10));
  return {
    swaps,
    more: quick ? 40 : Math.max(0, 1000 - swaps),
    streams: streams ?? (quick ? 200 : 1000),
    connections: connections ?? 16,
    quota,
    askPerSecond: (quota * 2) / seconds,
  };
}

interface Stage {
  readonly plan: Plan;
  readonly parts: Swapped;
  readonly server: ResourceServer;
  readonly streams: StreamsProcess;
  readonly generators: readonly [Generator, Generator];
}

/** Runs the bench and returns its results for the JSON file. */
export async function benchHotswap(options: BenchOptions, print: (line: string) => void): Promise<object> {
  const plan = planOf(options);
  const streams = await startStreams();
  const parts: Swapped = {
    versionModule: await readFile(await compileRaw("version")),
    ratelimitModule: await readFile(join(root, "filters/build/ratelimit.wasm")),
    quota: plan.quota,
    grpcPort: streams.grpcPort,
    webSocketPort: streams.webSocketPort,
  };
  const server = await startResourceServer(resourcesOf(parts, 0));
  const generators = [startGenerator(), startGenerator()] as const;
  let envoy: Envoy | undefined;
  try {
    envoy = await startEnvoy(server.bootstrap, { concurrency: WORKERS });
    const result = await swapUnderLoad(envoy, { plan, parts, server, streams, generators });
    reportHotswap(result, print);
    return result;
  } finally {
    await Promise.all([streams.close(), ...generators.map((generator) => generator.close())]);
    await envoy?.stop();
    await server.close();
  }
}

async function swapUnderLoad(
  envoy: Envoy,
  { plan, parts, server, streams, generators: [main, side] }: Stage,
): Promise<HotswapResult> {
  const port = await envoy.port(LISTENER);
  await streams.open({ port, count: plan.streams, everyMs: STREAMS_BEAT_MS });
  const all = { port, headers: {}, durationMs: undefined };
  const load = main.start({ ...all, path: "/", connections: plan.connections, watch: "x-version" });
  await delay(WARM_UP_MS);
  const asking = side.start({ ...all, path: QUOTA_PATH, connections: 2, ratePerSecond: plan.askPerSecond });
  const bytesBefore = residentBytesOf(envoy.pid);
  const publishedMs = await swap({ server, parts }, 1, plan.swaps, BETWEEN_MS);
  await delay(WARM_UP_MS);
  load.stop();
  asking.stop();
  const [loaded, asked] = await Promise.all([load.result, asking.result]);
  const bytesAfter = residentBytesOf(envoy.pid);
  const bytesAfterMore = await moreSwaps(envoy, port, { server, parts, main, plan });
  const held = await streams.finish();
  return {
    envoy: envoy.version,
    workers: WORKERS,
    betweenMs: BETWEEN_MS,
    swaps: plan.swaps,
    more: plan.more,
    times: publishedMs.map((startMs, index) => timesOf(loaded, index + 1, startMs)),
    load: { ...loaded, seen: {} },
    unversioned: loaded.seen[""]?.answers ?? 0,
    streams: held,
    quota: quotaOf(plan, asked),
    bytes: { before: bytesBefore, after: bytesAfter, afterMore: bytesAfterMore },
    rejections: server.rejections(),
  };
}

function quotaOf({ quota }: Plan, asked: LoadResult): HotswapResult["quota"] {
  return {
    tokens: quota,
    asked: asked.requests,
    admitted: asked.requests - (asked.failures["429"] ?? 0),
    otherFailures: { ...asked.failures, 429: 0 },
  };
}

/** Publishes versions `first` to `last`, one after the other, and returns when. */
async function swap(
  { server, parts }: Pick<Stage, "server" | "parts">,
  first: number,
  last: number,
  betweenMs: number,
): Promise<readonly number[]> {
  const publishedMs: number[] = [];
  for (let number = first; number <= last; number++) {
    publishedMs.push(machineMs());
    server.publish(resourcesOf(parts, number));
    await delay(betweenMs);
  }
  return publishedMs;
}

async function moreSwaps(
  envoy: Envoy,
  port: number,
  { server, parts, main, plan }: Pick<Stage, "server" | "parts" | "plan"> & { readonly main: Generator },
): Promise<number> {
  if (plan.more === 0) return residentBytesOf(envoy.pid);
  const load = main.start({ port, path: "/", headers: {}, connections: 4, durationMs: undefined, ratePerSecond: 500 });
  await swap({ server, parts }, plan.swaps + 1, plan.swaps + plan.more, BETWEEN_MORE_MS);
  await delay(WARM_UP_MS);
  load.stop();
  await load.result;
  return residentBytesOf(envoy.pid);
}

/** A version that was never seen has NaN: it was replaced before anyone was served by it. */
function timesOf({ seen }: LoadResult, number: number, startMs: number): SwapTimes {
  return {
    both: changesLimit(number),
    firstNewMs: (seen[`v${number}`]?.firstMs ?? NaN) - startMs,
    lastOldMs: Math.max(0, (seen[`v${number - 1}`]?.lastMs ?? NaN) - startMs),
  };
}
