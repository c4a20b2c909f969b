// Every host function, called by a module that does nothing else: while it starts, and while it is configured. Envoy
// and the Wasm host must both know it under the same type, forbid it at the same time, and answer WASI's functions
// alike.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHostRunner, type Scenario, type ScenarioOutcome } from "proxy-wasm-host";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { IMPORT_SIGNATURES } from "../../host/signatures.ts";
import { EnvoyScenarios } from "./scenario-envoy.ts";
import { type CallAt, callingModule } from "../../fakes/tiny-module.ts";

const directory = mkdtempSync(join(tmpdir(), "scrim-imports-"));
const modulePath = (module: string): string => join(directory, `${module}.wasm`);

function scenario(name: string, module: Uint8Array): Scenario {
  writeFileSync(modulePath(name), module);
  return { name, module: name, exchanges: [] };
}

const functions = [...IMPORT_SIGNATURES].map(([full, signature]) => ({
  module: full.slice(0, full.indexOf(".")),
  field: full.slice(full.indexOf(".") + 1),
  signature,
}));
const calls = (["start", "configure"] as const).flatMap((at: CallAt) =>
  functions
    .filter(({ module }) => at === "start" || module !== "env")
    .map(({ module, field, signature }) =>
      scenario(`${module}.${field} at ${at}`, callingModule(module, field, signature, at)),
    ),
);
const refused = [
  scenario("a function that does not exist", callingModule("env", "proxy_clear_route_cache", ":i", "configure")),
  scenario("a function of another type", callingModule("env", "proxy_done", "i:i", "configure")),
  scenario(
    "a WASI function of another type",
    callingModule("wasi_snapshot_preview1", "path_link", "iiiiiii:i", "configure"),
  ),
  scenario("another module's function", callingModule("wasi_snapshot_preview2", "fd_write", "iiii:i", "configure")),
];

let envoy: EnvoyScenarios;
beforeAll(async () => {
  envoy = await EnvoyScenarios.start({ scenarios: [...calls, ...refused], modulePath });
});
afterAll(async () => {
  await envoy?.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** Refused, or accepted with what the module logged once it had a context. */
const summary = (outcome: ScenarioOutcome): string =>
  outcome.kind === "refused"
    ? "refused"
    : `accepted ${[...new Set(outcome.logs)].filter((line) => !line.includes("\0")).join(" ")}`;

describe("the Wasm host and Envoy agree on", () => {
  const host = createHostRunner(modulePath);
  it("every host function: its type, whether it may be called at start, what WASI's answer", async () => {
    const differences: string[] = [];
    for (const one of calls) {
      const [inHost, onEnvoy] = [summary(await host.run(one)), summary(await envoy.run(one))];
      if (inHost !== onEnvoy) differences.push(`${one.name}: the host ${inHost}, Envoy ${onEnvoy}`);
    }
    expect(differences).toEqual([]);
  });

  it.each(refused.map((one) => [one.name, one] as const))("refusing %s", async (_name, one) => {
    const inHost = await host.run(one);
    expect([inHost.kind, (await envoy.run(one)).kind]).toEqual(["refused", "refused"]);
    if (inHost.kind === "refused")
      expect(envoy.log().includes(inHost.reason) ? "as Envoy says" : inHost.reason).toBe("as Envoy says");
  });
});
