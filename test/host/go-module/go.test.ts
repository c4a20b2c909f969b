import { createHostRunner, scenarioProblems } from "proxy-wasm-host";
import { describe, expect, it } from "vitest";
import { modulePath } from "../../../filters/module-path.ts";
import { missing, scenarios } from "./go.scenarios.ts";

const reason = missing();

describe.skipIf(reason !== undefined)(
  `a module of the Go SDK${reason === undefined ? "" : `, left out: ${reason}`}`,
  () => {
    const runner = createHostRunner(modulePath);
    it.each(scenarios.map((scenario) => [scenario.name, scenario] as const))("%s", async (_name, scenario) => {
      expect(scenarioProblems(scenario, await runner.run(scenario))).toEqual([]);
    });
  },
);
