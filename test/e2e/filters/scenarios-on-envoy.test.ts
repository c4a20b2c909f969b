// Every table of scenarios (filters/**/*.scenarios.ts, test/host/**/*.scenarios.ts) on a real Envoy and in the Wasm
// host: both must do what the table says, and agree on what it leaves open.
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createHostRunner, type Scenario, scenarioProblems } from "proxy-wasm-host";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { modulePath } from "../../../filters/module-path.ts";
import { disagreements } from "./scenario-agreement.ts";
import { EnvoyScenarios } from "./scenario-envoy.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const files = ["filters", "test/host"]
  .flatMap((folder) =>
    readdirSync(`${root}${folder}`, { recursive: true, encoding: "utf8" }).map((file) => `${folder}/${file}`),
  )
  .filter((file) => file.endsWith(".scenarios.ts"))
  .sort();

/**
 * What a table exports; `prepare` builds modules that the set-up does not, `missing` says why a table cannot run on
 * this machine.
 */
interface Table {
  readonly scenarios: readonly Scenario[];
  readonly prepare?: () => Promise<void>;
  readonly missing?: () => string | undefined;
}
const tables = await Promise.all(files.map(async (file) => ({ file, ...((await import(`${root}${file}`)) as Table) })));

/** Scenarios that can share an Envoy: those with the same node. */
function byNode(scenarios: readonly Scenario[]): (readonly Scenario[])[] {
  const groups = new Map<string, Scenario[]>();
  for (const scenario of scenarios) {
    const key = JSON.stringify(scenario.nodeMetadata ?? {});
    groups.set(key, [...(groups.get(key) ?? []), scenario]);
  }
  return [...groups.values()];
}

interface Run {
  readonly title: string;
  readonly scenarios: readonly Scenario[];
  readonly prepare: (() => Promise<void>) | undefined;
}

const runs = tables
  .filter((table) => table.missing?.() === undefined)
  .flatMap(({ file, scenarios, prepare }): Run[] =>
    byNode(scenarios).map((group, i) => ({
      title: i === 0 ? file : `${file}, node ${i + 1}`,
      scenarios: group,
      prepare,
    })),
  );

for (const { file, missing } of tables)
  if (missing?.() !== undefined) describe(file, () => it.skip(`is left out: ${missing()}`));

describe.each(runs)("$title", ({ scenarios, prepare }) => {
  const host = createHostRunner(modulePath);
  let envoy: EnvoyScenarios;
  beforeAll(async () => {
    await prepare?.();
    envoy = await EnvoyScenarios.start({ scenarios, modulePath });
  });
  afterAll(() => envoy?.stop());

  it.each(scenarios.map((scenario) => [scenario.name, scenario] as const))("%s", async (_name, scenario) => {
    const [inHost, onEnvoy] = [await host.run(scenario), await envoy.run(scenario)];
    expect({ host: scenarioProblems(scenario, inHost), envoy: scenarioProblems(scenario, onEnvoy) }).toEqual({
      host: [],
      envoy: [],
    });
    expect(disagreements(scenario, inHost, onEnvoy)).toEqual([]);
  });
});
