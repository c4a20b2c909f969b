// consumes: how long, and how many changes
// produces: what time does to a mesh: a partition of its control plane, and a day's changes
// never does: leave a process behind
import { type PartitionResult, partition } from "./endurance/partition.ts";
import { restart, type RestartResult } from "./endurance/restart.ts";
import { grows, slopeOf } from "./endurance/slope.ts";
import { wear, type WearResult, type WearSample } from "./endurance/wear.ts";
import type { BenchOptions } from "./options.ts";
import { renderTable } from "./table.ts";

/** Less than this over a day is no leak that anybody would find. */
const BEARABLE_BYTES = 2e6;

/** Runs the bench and returns its results for the JSON file. */
export async function benchEndurance(
  {
    quick,
    partitionMinutes = quick ? 0.5 : 60,
    changes = quick ? 200 : 10_000,
    hours = 0,
    proxies = quick ? 50 : 1_000,
  }: BenchOptions,
  print: (line: string) => void,
): Promise<object> {
  const partitioned = partitionMinutes === 0 ? undefined : await partition(partitionMinutes, print);
  if (partitioned !== undefined) reportPartition(partitioned, print);
  const restarted = proxies === 0 ? undefined : await restart(proxies, print);
  if (restarted !== undefined) reportRestart(restarted, print);
  const worn = changes === 0 ? undefined : await wear(changes, hours, print);
  if (worn !== undefined) reportWear(worn, print);
  return { partition: partitioned, restart: restarted, wear: worn };
}

function reportPartition(result: PartitionResult, print: (line: string) => void): void {
  const { minutes, requests, failures, changes, during, streamsAtTheEnd, convergedMs, proxies } = result;
  print(
    `\npartition of ${minutes} min: ${requests} requests, ${failures.length} failed; ${changes} changes ` +
      `meanwhile; ${during.connections} tries to connect, ${streamsAtTheEnd} streams left at its end`,
  );
  for (const failure of failures.slice(0, 20)) print(`  ${failure}`);
  print(
    `there again after (ms): ${Object.entries(convergedMs)
      .map(([what, ms]) => `${what} ${ms.toFixed(0)}`)
      .join(", ")}; certificates renewed: ${result.certificatesRenewed} of ${proxies.length} proxies`,
  );
  print(renderWire(result));
  const done = (each: object): object => Object.fromEntries(Object.entries(each).filter(([, value]) => value !== 0));
  print(`what each proxy did since the cut: ${proxies.map((each) => JSON.stringify(done(each))).join(" ")}`);
  const { before, after } = result.bytes;
  print(
    `memory before and after (MB): control plane's heap ${mb(before.controlPlaneHeap)} → ` +
      `${mb(after.controlPlaneHeap)}, resident ${mb(before.controlPlane)} → ${mb(after.controlPlane)}; ` +
      `Envoys ${before.envoys.map(mb).join(", ")} → ${after.envoys.map(mb).join(", ")}`,
  );
}

function renderWire({ first, during, healing, afterwards }: PartitionResult): string {
  const row = (name: string, { bytesDown, bytesUp, connections }: typeof first): readonly string[] => [
    name,
    (bytesDown / 1e3).toFixed(1),
    (bytesUp / 1e3).toFixed(1),
    String(connections),
  ];
  return renderTable(
    ["xDS on the wire", "kB to proxies", "kB from proxies", "connections"],
    [row("first start", first), row("cut", during), row("healing", healing), row("the minute after", afterwards)],
  );
}

function reportRestart(
  { proxies, services, first, again, afterwards }: RestartResult,
  print: (line: string) => void,
): void {
  print(
    "\n" +
      `restart with ${proxies} proxies on ${services} services: ${again.startMs.toFixed(0)} ms until it ` +
      `served; from then on all were back with what had changed after p50 ${again.p50Ms.toFixed(0)} ms, ` +
      `p99 ${again.p99Ms.toFixed(0)} ms, last ${again.lastMs.toFixed(0)} ms, at most ` +
      `${again.mostPerSecond} in a second`,
  );
  print(
    `streams lost: ${again.lossesWhileDown} while it was down (each try counts), ` +
      `${again.lossesAfterwards} since it served`,
  );
  const row = (name: string, { connects, bytes, resources, cpuMs, loopDelayMs }: typeof first): readonly string[] => [
    name,
    String(connects),
    mb(bytes),
    String(resources),
    cpuMs.toFixed(0),
    loopDelayMs.p99.toFixed(0),
    loopDelayMs.max.toFixed(0),
  ];
  print(
    renderTable(
      ["", "tries to connect", "MB sent", "resources", "CPU ms of the process so far", "loop p99 ms", "loop max ms"],
      [row("connect for the first time", first), row("come back", again), row("the 15 s after", afterwards)],
    ),
  );
}

const mb = (value: number): string => (value / 1e6).toFixed(1);

/**
 * What is looked at: its value in a sample, the unit it is shown in, and how much of it over all changes would be a
 * leak.
 */
const MEASURES: readonly {
  readonly name: string;
  readonly of: (sample: WearSample) => number;
  readonly unit: number;
  readonly most: number;
}[] = [
  { name: "control plane's heap, MB", of: ({ heapBytes }) => heapBytes, unit: 1e6, most: BEARABLE_BYTES },
  { name: "buffers, MB", of: ({ externalBytes }) => externalBytes, unit: 1e6, most: BEARABLE_BYTES },
  { name: "resident, MB", of: ({ residentBytes }) => residentBytes, unit: 1e6, most: 20e6 },
  { name: "file descriptors", of: ({ fileDescriptors }) => fileDescriptors, unit: 1, most: 5 },
  {
    name: "what keeps the loop alive",
    of: ({ resources }) => Object.values(resources).reduce((sum, count) => sum + count, 0),
    unit: 1,
    most: 20,
  },
  ...["Map", "Set", "Promise", "AbortController"].map((name) => ({
    name: `${name} objects`,
    of: ({ objects }: WearSample) => objects[name] ?? NaN,
    unit: 1,
    most: 2000,
  })),
  { name: "files kept", of: ({ files }) => files, unit: 1, most: 20 },
  { name: "bytes of files kept, MB", of: ({ fileBytes }) => fileBytes, unit: 1e6, most: BEARABLE_BYTES },
  { name: "metrics page, kB", of: ({ metricsBytes }) => metricsBytes, unit: 1e3, most: 10e3 },
  ...[0, 1, 2].map((index) => ({
    name: `Envoy ${index + 1} allocated, MB`,
    of: ({ envoyBytes }: WearSample) => envoyBytes[index] ?? NaN,
    unit: 1e6,
    most: BEARABLE_BYTES,
  })),
];

function reportWear(
  { changes, seconds, happened, requests, failures, samples, logged }: WearResult,
  print: (line: string) => void,
): void {
  print(
    `\n${changes} changes in ${(seconds / 60).toFixed(1)} min: ${Object.entries(happened)
      .map(([what, count]) => `${what} ${count}`)
      .join(", ")}; ${requests} requests, ${failures.length} failed`,
  );
  for (const failure of failures.slice(0, 20)) print(`  ${failure}`);
  const steps = samples.map((sample) => sample.changes);
  const rows = MEASURES.map(({ name, of, unit, most }) => {
    const slope = slopeOf(steps, samples.map(of));
    const per = (value: number): string => ((value * 1000) / unit).toFixed(3);
    return [
      name,
      (of(samples[0] as WearSample) / unit).toFixed(2),
      (slope.first / unit).toFixed(2),
      (slope.last / unit).toFixed(2),
      `${per(slope.perStep)} ±${per(slope.error)}`,
      grows(slope, changes, most) ? "GROWS" : "flat",
    ];
  });
  print(renderTable(["", "at first", "after the warm-up", "at the end", "per 1,000 changes", ""], rows));
  print(`logged: ${JSON.stringify(logged)}`);
}
