// consumes: an Envoy with a listener for each case, and a generator
// produces: what each case cost in each round
// never does: let a case take its turn only once: slow changes of the machine must hit all alike
import { cpuSecondsOf, residentBytesOf } from "../process-cost.ts";
import type { Envoy } from "../../test/support/envoy.ts";
import type { Generator } from "../load/load.ts";
import type { LoadResult } from "../load/messages.ts";
import { runWrk } from "../load/wrk.ts";
import type { Case } from "./cases.ts";
import { REQUEST } from "./examples.ts";

/** One turn of one case. */
export interface Measurement {
  /** CPU of the whole Envoy process, microseconds per request. */
  readonly cpuUs: number;
  readonly requestsPerSecond: number;
  readonly requests: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Whether nearly all requests that were due for p50 and p99 were sent: else something else kept the machine busy. */
  readonly keptUp: boolean;
  /** Growth of Envoy's resident memory during the turn, bytes. */
  readonly grownBytes: number;
  readonly failed: number;
}

export interface Plan {
  readonly rounds: number;
  readonly seconds: number;
  readonly connections: number;
  /** The path of wrk, if it takes our generator's place in the closed loop. */
  readonly wrk: string | undefined;
  readonly report: (line: string) => void;
}

/** Share of the closed loop's throughput at which latencies are measured. */
const LATENCY_LOAD = 0.7;

/** Returns the measurements by case, in the order of the rounds; every case is warmed up before the first. */
export async function measureCases(
  envoy: Envoy,
  cases: readonly Case[],
  generator: Generator,
  plan: Plan,
): Promise<readonly (readonly Measurement[])[]> {
  const ports = await Promise.all(cases.map((_, index) => envoy.port(`case-${index}`)));
  const results: Measurement[][] = cases.map(() => []);
  // Warms up, and tells what our own generator can bear, which keeps the pace for latencies whoever made the full load.
  const bearable: number[] = [];
  for (const port of ports) {
    const { requests, seconds } = await closedLoop(
      generator,
      { ...plan, wrk: undefined },
      port,
      Math.max(0.3, plan.seconds / 2),
    );
    bearable.push(requests / seconds);
  }
  for (let round = 0; round < plan.rounds; round++) {
    plan.report(`round ${round + 1} of ${plan.rounds}`);
    // Every other round goes backwards, so that no case always follows the same one.
    const order = cases.map((_, index) => (round % 2 === 0 ? index : cases.length - 1 - index));
    for (const index of order)
      results[index]?.push(
        await measure(envoy, generator, plan, { port: ports[index] ?? 0, bearable: bearable[index] ?? 0 }),
      );
  }
  return results;
}

interface Place {
  readonly port: number;
  readonly bearable: number;
}

async function measure(
  envoy: Envoy,
  generator: Generator,
  plan: Plan,
  { port, bearable }: Place,
): Promise<Measurement> {
  const bytesBefore = residentBytesOf(envoy.pid);
  const cpuBefore = cpuSecondsOf(envoy.pid);
  const busy = await closedLoop(generator, plan, port, plan.seconds);
  const cpu = cpuSecondsOf(envoy.pid) - cpuBefore;
  const requestsPerSecond = busy.requests / busy.seconds;
  const load = {
    port,
    ...REQUEST,
    connections: plan.connections,
    durationMs: (plan.seconds / 2) * 1000,
    ratePerSecond: Math.min(requestsPerSecond, bearable) * LATENCY_LOAD,
  };
  const paced = await generator.start(load).result;
  return {
    cpuUs: (cpu / busy.requests) * 1e6,
    requestsPerSecond,
    requests: busy.requests,
    p50Ms: paced.p50Ms,
    p99Ms: paced.p99Ms,
    keptUp: paced.requests >= 0.97 * load.ratePerSecond * (load.durationMs / 1000),
    grownBytes: residentBytesOf(envoy.pid) - bytesBefore,
    failed: failuresOf(busy) + failuresOf(paced),
  };
}

function closedLoop(
  generator: Generator,
  { wrk, connections }: Plan,
  port: number,
  seconds: number,
): Promise<LoadResult> {
  const load = { port, ...REQUEST, connections, durationMs: seconds * 1000 };
  return wrk === undefined ? generator.start(load).result : runWrk(wrk, load);
}

function failuresOf({ failures }: LoadResult): number {
  return Object.values(failures).reduce((sum, count) => sum + count, 0);
}
