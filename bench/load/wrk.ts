// wrk, where the machine has it: it costs less than our own generator and so bears down harder.
import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { delimiter, join } from "node:path";
import type { LoadRequest, LoadResult } from "./messages.ts";

/** Returns the path of wrk on a search path, or undefined. */
export async function findWrk(searchPath: string | undefined): Promise<string | undefined> {
  for (const directory of (searchPath ?? "").split(delimiter).filter(Boolean)) {
    const path = join(directory, "wrk");
    if (
      await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  return undefined;
}

/** Runs one closed loop; throws when wrk fails. */
export async function runWrk(path: string, load: LoadRequest): Promise<LoadResult> {
  const seconds = Math.max(1, Math.round((load.durationMs ?? 1000) / 1000));
  const headers = Object.entries(load.headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
  const args = [
    "-t1",
    `-c${load.connections}`,
    `-d${seconds}s`,
    "--latency",
    "-H",
    "host: reviews",
    ...headers,
    `http://127.0.0.1:${load.port}${load.path}`,
  ];
  const output = await new Promise<string>((resolve, reject) =>
    execFile(path, args, (error, stdout) => (error ? reject(error) : resolve(stdout))),
  );
  return parseWrk(output);
}

/** Returns what wrk's report with `--latency` says; numbers it does not say are NaN. */
export function parseWrk(output: string): LoadResult {
  const failures: Record<string, number> = {};
  const bad = /Non-2xx or 3xx responses: (\d+)/.exec(output);
  if (bad) failures["not 2xx"] = Number(bad[1]);
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(output);
  const broken = errors ? errors.slice(1).reduce((sum, count) => sum + Number(count), 0) : 0;
  if (broken > 0) failures["socket"] = broken;
  const total = /(\d+) requests in ([\d.]+)(us|ms|s|m)/.exec(output);
  const latency = (share: string): number =>
    inMs(new RegExp(`^\\s+${share}%\\s+([\\d.]+)(us|ms|s|m)`, "m").exec(output));
  const longest = inMs(/Latency\s+\S+\s+\S+\s+([\d.]+)(us|ms|s|m)/.exec(output));
  return {
    requests: Number(total?.[1] ?? NaN),
    seconds: inMs(total && [total[0], total[2] ?? "", total[3] ?? ""]) / 1000,
    failures,
    p50Ms: latency("50"),
    p99Ms: latency("99"),
    p999Ms: latency("99.9"),
    maxMs: longest,
    seen: {},
  };
}

function inMs(match: readonly string[] | null): number {
  const factors: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000 };
  return match === null ? NaN : Number(match[1]) * (factors[match[2] ?? ""] ?? NaN);
}
