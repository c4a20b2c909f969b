import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { createHostRunner, scenarioProblems } from "proxy-wasm-host";
import { describe, expect, it } from "vitest";
import { modulePath } from "../module-path.ts";
import { scenarios } from "./ratelimit.scenarios.ts";

const schema = new Ajv2020({ strict: false }).compile(
  JSON.parse(readFileSync(new URL("config.schema.json", import.meta.url), "utf8")),
);

describe("scenarios of limits, in the host", () => {
  const host = createHostRunner(modulePath);

  it.each(scenarios.map((scenario) => [scenario.name, scenario] as const))("%s", async (_name, scenario) => {
    expect(scenarioProblems(scenario, await host.run(scenario))).toEqual([]);
  });

  it.each(
    scenarios.filter(({ refused }) => refused === undefined).map((scenario) => [scenario.name, scenario] as const),
  )("the schema describes: %s", (_name, { configuration }) => {
    expect(schema(configuration), JSON.stringify(schema.errors)).toBe(true);
  });
});
