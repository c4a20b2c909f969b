// consumes: the built filters, an Envoy, perhaps wrk and a Rust toolchain
// produces: what each filter costs on this machine, as a table, a picture and JSON
// never does: call a difference one that is smaller than its spread
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { readEnvironment } from "../controlplane/settings/environment.ts";
import { startEnvoy } from "../test/support/envoy.ts";
import { casesBootstrap } from "./filters/bootstrap.ts";
import { allCases, EMPTY } from "./filters/cases.ts";
import { CHANGES_TO_EXAMPLES } from "./filters/examples.ts";
import { measureGrowth, renderGrowth } from "./filters/growth.ts";
import { guestCostOf } from "./filters/guest.ts";
import { measureCases, type Plan } from "./filters/measure.ts";
import { renderCases, renderPicture, renderRatios, summarizeCases } from "./filters/report.ts";
import { startGenerator } from "./load/load.ts";
import { findWrk } from "./load/wrk.ts";
import type { BenchOptions } from "./options.ts";
import { out } from "./places.ts";

/** Runs the bench and returns its results for the JSON file. */
export async function benchFilters(options: BenchOptions, print: (line: string) => void): Promise<object> {
  const { cases, absent } = await casesOf(options);
  const plan = await planOf(options);
  const envoy = await startEnvoy(casesBootstrap(cases));
  const generator = startGenerator();
  try {
    const measured = await measureCases(envoy, cases, generator, plan);
    const results = summarizeCases(
      cases,
      measured,
      cases.map(({ wasm }) => guestCostOf(wasm)),
    );
    const how =
      `Envoy ${envoy.version}, one worker, ${plan.connections} connections, ${plan.rounds} rounds of ` +
      `${plan.seconds} s, ${plan.wrk === undefined ? "own generator" : "wrk"}`;
    print(
      `${how}\n` +
        "added: over the empty chain of the same round; ±: half of the middle half of the rounds; p50, " +
        "p99: at 70 % of the throughput\n" +
        "entries, calls, own ns: per request, into the VM, out of it, and in the module itself on a " +
        "host that does nothing\n",
    );
    print(renderCases(results));
    const growths =
      options.growth === 0 ? [] : await measureGrowth(cases, options.growth ?? (options.quick ? 100_000 : 10_000_000));
    if (growths.length > 0) print(`\n${renderGrowth(growths)}`);
    print(
      ["", ...renderRatios(results), ...absent.map((line) => `not measured: ${line}`), CHANGES_TO_EXAMPLES].join("\n"),
    );
    const picture = renderPicture(results, `Envoy ${envoy.version}, one worker`);
    print(`picture: ${writePicture(options.svg ?? join(out, "filters.svg"), picture)}`);
    return {
      how,
      absent,
      results,
      growths,
      measured: Object.fromEntries(cases.map(({ name }, index) => [name, measured[index]])),
    };
  } finally {
    await generator.close();
    await envoy.stop();
  }
}

/** The cases that were asked for, and why others cannot be measured here. */
async function casesOf({ only }: BenchOptions): ReturnType<typeof allCases> {
  const { cases: known, absent } = await allCases();
  const unknown = only.filter((name) => !known.some((one) => one.name === name));
  if (unknown.length > 0)
    throw new Error(`no case ${unknown.join(", ")}; there are ${known.map(({ name }) => name).join(", ")}`);
  return { cases: known.filter(({ name }) => only.length === 0 || name === EMPTY || only.includes(name)), absent };
}

async function planOf({ quick, rounds, seconds, connections }: BenchOptions): Promise<Plan> {
  return {
    rounds: rounds ?? (quick ? 3 : 5),
    seconds: seconds ?? (quick ? 0.5 : 2),
    connections: connections ?? 16,
    wrk: await findWrk(readEnvironment().searchPath),
    report: (line) => process.stderr.write(`${line}\n`),
  };
}

function writePicture(file: string, svg: string): string {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, svg);
  return file;
}
