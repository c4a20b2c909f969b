// consumes: how long, and how many changes
// produces: what time does to a mesh: a partition of its control plane, and a day's changes
// never does: end before what it was asked for, or leave a process behind
import { type PartitionResult, partition } from "./endurance/partition.ts";
import type { BenchOptions } from "./options.ts";
import { renderTable } from "./table.ts";

/** Runs the bench and returns its results for the JSON file. */
export async function benchEndurance(options: BenchOptions, print: (line: string) => void): Promise<object> {
  const partitioned = await partition(options.partitionMinutes ?? (options.quick ? 0.5 : 60), print);
  reportPartition(partitioned, print);
  return { partition: partitioned };
}

function reportPartition({ minutes, requests, failures, changes, first, during, streamsAtTheEnd, convergedMs, healing, afterwards, proxies, certificatesRenewed, bytes }: PartitionResult, print: (line: string) => void): void {
  print(`\npartition of ${minutes} min: ${requests} requests, ${failures.length} failed; ${changes} changes meanwhile; ${during.connections} tries to connect, ${streamsAtTheEnd} streams left at its end`);
  for (const failure of failures.slice(0, 20)) print(`  ${failure}`);
  print(`there again after (ms): ${Object.entries(convergedMs).map(([what, ms]) => `${what} ${ms.toFixed(0)}`).join(", ")}; certificates renewed: ${certificatesRenewed} of ${proxies.length} proxies`);
  const row = (name: string, { bytesDown, bytesUp, connections }: typeof first): readonly string[] => [name, (bytesDown / 1e3).toFixed(1), (bytesUp / 1e3).toFixed(1), String(connections)];
  print(renderTable(["xDS on the wire", "kB to proxies", "kB from proxies", "connections"], [row("first start", first), row("cut", during), row("healing", healing), row("the minute after", afterwards)]));
  print(`what each proxy did since the cut: ${proxies.map((each) => JSON.stringify(Object.fromEntries(Object.entries(each).filter(([, value]) => value !== 0)))).join(" ")}`);
  const mb = (value: number): string => (value / 1e6).toFixed(1);
  print(`memory before and after (MB): control plane's heap ${mb(bytes.before.controlPlaneHeap)} → ${mb(bytes.after.controlPlaneHeap)}, resident ${mb(bytes.before.controlPlane)} → ${mb(bytes.after.controlPlane)}; Envoys ${bytes.before.envoys.map(mb).join(", ")} → ${bytes.after.envoys.map(mb).join(", ")}`);
}
