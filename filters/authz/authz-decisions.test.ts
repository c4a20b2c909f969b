import { createHostRunner, scenarioProblems } from "proxy-wasm-host";
import { describe, expect, it } from "vitest";
import { modulePath } from "../module-path.ts";
import { scenarios } from "./authz.scenarios.ts";

describe("decisions", () => {
  const host = createHostRunner(modulePath);
  it.each(scenarios.map((scenario) => [scenario.name, scenario] as const))("%s", async (_name, scenario) => {
    expect(scenarioProblems(scenario, await host.run(scenario))).toEqual([]);
  });
});
