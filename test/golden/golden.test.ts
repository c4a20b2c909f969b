// What each scenario's proxy is told is what the files beside it say. UPDATE_GOLDEN=1 rewrites them and drops stale
// ones.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { INPUTS, renderScenario, scenarioNames } from "./scenario.ts";

const directory = dirname(fileURLToPath(import.meta.url));
const updating = process.env["UPDATE_GOLDEN"] === "1";
if (updating && process.env["CI"])
  throw new Error("UPDATE_GOLDEN is refused under CI: golden files are reviewed before they are committed");

describe("golden scenarios", () => {
  it.each(scenarioNames(directory))("%s", (name) => {
    const scenario = join(directory, name);
    const rendered = renderScenario(scenario);
    if (updating) rewrite(scenario, rendered);
    const outputs = readdirSync(scenario).filter((file) => !INPUTS.has(file));
    expect(outputs.sort()).toEqual([...rendered.keys()].sort());
    for (const [file, text] of rendered)
      expect(text, `${name}/${file}`).toBe(readFileSync(join(scenario, file), "utf8"));
  });

  it.each(scenarioNames(directory))(
    "%s says the same when asked again, and whatever the order of its documents",
    (name) => {
      const [first, again, reversed] = [{}, {}, { reversed: true }].map((options) =>
        renderScenario(join(directory, name), options),
      );
      expect(again).toEqual(first);
      // Of violations the lines differ, of the IR the order of upstreams, which is by name only once they are written
      // down.
      for (const [file, text] of first ?? [])
        if (file !== "violations.yaml" && file !== "ir.yaml") expect(reversed?.get(file), file).toBe(text);
    },
  );
});

function rewrite(scenario: string, rendered: ReadonlyMap<string, string>): void {
  for (const file of readdirSync(scenario)) if (!INPUTS.has(file) && !rendered.has(file)) rmSync(join(scenario, file));
  for (const [file, text] of rendered) {
    const path = join(scenario, file);
    if (!existsSync(path) || readFileSync(path, "utf8") !== text) writeFileSync(path, text);
  }
}
