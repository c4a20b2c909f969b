// Envoy itself accepts what every golden scenario's proxy is told.
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { scenarioNames, translateScenario } from "../golden/scenario.ts";
import { buildStaticBootstrap } from "../golden/static-bootstrap.ts";

const run = promisify(execFile);
const goldens = join(dirname(fileURLToPath(import.meta.url)), "../golden");
const cache = process.env["SCRIM_CACHE_DIR"] ?? join(homedir(), ".cache/scrim");
const envoy = process.env["ENVOY_PATH"] ?? join(cache, "envoy/1.40.0/envoy");

describe("envoy --mode validate", () => {
  let directory = "";
  beforeAll(() => {
    expect(existsSync(envoy), `no Envoy at ${envoy}: run the set-up first`).toBe(true);
    directory = mkdtempSync(join(tmpdir(), "scrim-golden-"));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it.each(scenarioNames(goldens))("accepts %s", async (name) => {
    const { resources } = translateScenario(join(goldens, name));
    const config = join(directory, `${name}.json`);
    writeFileSync(config, JSON.stringify(buildStaticBootstrap(resources, { deliveredFilters: "keep" })));
    const { stdout, stderr } = await run(
      envoy,
      ["--mode", "validate", "-c", config, "--use-dynamic-base-id", "--log-level", "error"],
      { timeout: 60_000 },
    );
    expect(stdout + stderr).toContain("OK");
  });
});
