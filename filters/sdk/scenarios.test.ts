import { createHostRunner, scenarioProblems } from "proxy-wasm-host";
import { beforeAll, describe, expect, it } from "vitest";
import { modulePath } from "../module-path.ts";
import * as attributes from "./attributes.scenarios.ts";
import * as foreign from "./foreign.scenarios.ts";

// On Envoy: test/e2e/filters/scenarios-on-envoy.test.ts.
describe("scenarios in the host", () => {
  const runner = createHostRunner(modulePath);
  beforeAll(async () => {
    await attributes.prepare();
    await foreign.prepare();
  }, 180_000);
  it.each([...attributes.scenarios, ...foreign.scenarios].map((scenario) => [scenario.name, scenario] as const))(
    "%s",
    async (_name, scenario) => {
      expect(scenarioProblems(scenario, await runner.run(scenario))).toEqual([]);
    },
  );
});
