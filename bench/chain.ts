// consumes: an Envoy, network namespaces (root), the built control plane and filters
// produces: what our sidecars cost on the way of a captured request, over bare Envoys written by hand
// never does: compare numbers of different runs
import { fileURLToPath } from "node:url";
import { type CapturedMesh, startCapturedMesh } from "../test/support/captured-mesh.ts";
import { findEnvoy } from "../test/support/envoy.ts";
import { namespacesMissing } from "../test/support/namespaces.ts";
import { APPLICATION_PORT, BARE, type Case, CASES } from "./chain/cases.ts";
import { type Chain, measureChains, type Plan } from "./chain/measure.ts";
import { renderChains, renderVerdicts, summarizeChains } from "./chain/report.ts";
import { startGenerator } from "./load/load.ts";
import type { BenchOptions } from "./options.ts";

const APPLICATION_UID = 1000;

/** Runs the bench and returns its results for the JSON file. */
export async function benchChain(options: BenchOptions, print: (line: string) => void): Promise<object> {
  const missing = namespacesMissing();
  if (missing !== undefined) throw new Error(`no network namespaces here: ${missing}`);
  const cases = casesOf(options);
  const plan = planOf(options);
  const { version } = await findEnvoy();
  const chains: Chain[] = [];
  try {
    for (const one of cases) chains.push(await startChain(one));
    const { ratePerSecond, measurements } = await measureChains(chains, plan);
    const results = summarizeChains(cases, measurements);
    const how =
      `Envoy ${version}, one worker each, ${plan.connections} connections, ${ratePerSecond.toFixed(0)} requests/s ` +
      `(open loop), ${plan.rounds} rounds of ${plan.seconds} s`;
    print(
      `${how}\n: bare: both sidecars over the bare ones of the same round; ±: half of the middle half of the rounds\n`,
    );
    print(renderChains(results));
    print(["", ...renderVerdicts(results)].join("\n"));
    return { how, results, measured: Object.fromEntries(cases.map(({ name }, at) => [name, measurements[at]])) };
  } finally {
    for (const { mesh, generator } of chains) {
      await generator.close();
      await mesh.stop();
    }
  }
}

function casesOf({ only }: BenchOptions): readonly Case[] {
  const unknown = only.filter((name) => !CASES.some((one) => one.name === name));
  if (unknown.length > 0)
    throw new Error(`no mesh ${unknown.join(", ")}; there are ${CASES.map(({ name }) => name).join("; ")}`);
  return CASES.filter(({ name }) => only.length === 0 || name === BARE || only.includes(name));
}

function planOf({ quick, rounds, seconds, connections }: BenchOptions): Plan {
  return {
    rounds: rounds ?? (quick ? 3 : 5),
    seconds: seconds ?? (quick ? 1.5 : 5),
    connections: connections ?? 16,
    report: (line) => process.stderr.write(`${line}\n`),
  };
}

async function startChain({ yaml, pods }: Case): Promise<Chain> {
  const mesh: CapturedMesh = await startCapturedMesh(yaml, pods);
  const application = fileURLToPath(new URL("./application.mjs", import.meta.url));
  const command = [process.execPath, application, String(APPLICATION_PORT)];
  await mesh.pod("reviews-0").namespace.startProgram(command, APPLICATION_UID);
  return { mesh, generator: startGenerator(mesh.pod("client-0").namespace.pid) };
}
