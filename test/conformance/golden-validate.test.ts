// Envoy itself accepts what every golden scenario's proxy is told.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { scenarioNames, translateScenario } from "../golden/scenario.ts";
import { buildStaticBootstrap } from "../golden/static-bootstrap.ts";
import { scratchDirectory } from "../support/children.ts";
import { validateConfiguration } from "../support/envoy.ts";

const goldens = fileURLToPath(new URL("../golden", import.meta.url));
const directory = scratchDirectory();

describe("envoy --mode validate", () => {
  it.each(scenarioNames(goldens))("accepts %s", async (name) => {
    const { resources } = translateScenario(join(goldens, name));
    const config = join(directory, `${name}.json`);
    writeFileSync(config, JSON.stringify(buildStaticBootstrap(resources, { deliveredFilters: "keep" })));
    expect(await validateConfiguration(config)).toContain("OK");
  });
});
