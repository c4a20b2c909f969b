// consumes: meshes of two pods, each with a load generator beside its client
// produces: what each cost in each round
// never does: let a case take its turn only once, or another rate than the others
import type { CapturedMesh } from "../../test/support/captured-mesh.ts";
import { eventually } from "../../test/support/until.ts";
import type { Generator } from "../load/load.ts";
import type { LoadRequest, LoadResult } from "../load/messages.ts";
import { cpuSecondsOf, residentBytesOf } from "../process-cost.ts";
import { SERVICE } from "./cases.ts";

/** A number of the client's sidecar, and one of the server's. */
export type BySidecar = readonly [client: number, server: number];

/** One turn of one case. */
export interface Measurement {
  /** Of the whole process, microseconds per request. */
  readonly cpuUs: BySidecar;
  /** Resident, at the end of the turn. */
  readonly bytes: BySidecar;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly requests: number;
  /** Whether nearly all requests that were due were sent: else something else kept the machine busy. */
  readonly keptUp: boolean;
  readonly failed: number;
}

/** A case that is running. */
export interface Chain {
  readonly mesh: CapturedMesh;
  readonly generator: Generator;
}

export interface Plan {
  readonly rounds: number;
  readonly seconds: number;
  readonly connections: number;
  readonly report: (line: string) => void;
}

export interface Measured {
  /** Of every case. */
  readonly ratePerSecond: number;
  /** By case, in the order of the rounds. */
  readonly measurements: readonly (readonly Measurement[])[];
}

const LOAD = 0.7;

/** Finds out what each bears, and has each take its turn in each round at a share of the least. */
export async function measureChains(chains: readonly Chain[], plan: Plan): Promise<Measured> {
  for (const chain of chains) await answering(chain);
  const bearable: number[] = [];
  for (const { generator } of chains) {
    const { requests, seconds } = await generator.start(loadOf(plan, Math.min(plan.seconds, 2))).result;
    bearable.push(requests / seconds);
  }
  plan.report(`closed loop: ${bearable.map((rate) => rate.toFixed(0)).join(", ")} requests/s`);
  const ratePerSecond = Math.min(...bearable) * LOAD;
  const measurements: Measurement[][] = chains.map(() => []);
  for (let round = 0; round < plan.rounds; round++) {
    plan.report(`round ${round + 1} of ${plan.rounds}`);
    // Every other round goes backwards, so that no case always follows the same one.
    const order = round % 2 === 0 ? [...chains.keys()] : [...chains.keys()].reverse();
    for (const index of order) measurements[index]?.push(await measure(chains[index]!, plan, ratePerSecond));
  }
  return { ratePerSecond, measurements };
}

/** Waits until the sidecars have all that they need for a request to come through. */
async function answering({ generator }: Chain): Promise<void> {
  await eventually("an answer", async () => {
    const { requests, failures } = await generator.start({ ...loadOf({ connections: 1 }, 0.1) }).result;
    return requests > 0 && failedOf(failures) === 0 ? true : undefined;
  });
}

async function measure({ mesh, generator }: Chain, plan: Plan, ratePerSecond: number): Promise<Measurement> {
  const sidecars = [mesh.pod("client-0").sidecarPid, mesh.pod("reviews-0").sidecarPid] as const;
  const before = sidecars.map(cpuSecondsOf);
  const { requests, failures, p50Ms, p99Ms, p999Ms }: LoadResult = await generator.start({
    ...loadOf(plan, plan.seconds),
    ratePerSecond,
    sleeps: true,
  }).result;
  const cpuUs = (at: 0 | 1): number => ((cpuSecondsOf(sidecars[at]) - (before[at] ?? NaN)) / requests) * 1e6;
  return {
    cpuUs: [cpuUs(0), cpuUs(1)],
    bytes: [residentBytesOf(sidecars[0]), residentBytesOf(sidecars[1])],
    ...{ p50Ms, p99Ms, p999Ms, requests },
    keptUp: requests >= 0.97 * ratePerSecond * plan.seconds,
    failed: failedOf(failures),
  };
}

function loadOf({ connections }: Pick<Plan, "connections">, seconds: number): LoadRequest {
  return { ...SERVICE, connections, durationMs: seconds * 1000, headers: { accept: "*/*", "user-agent": "bench" } };
}

function failedOf(failures: LoadResult["failures"]): number {
  return Object.values(failures).reduce((sum, count) => sum + count, 0);
}
