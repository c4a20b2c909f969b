// What the functions do in modules of their own, they do in this one: every scenario of theirs, as data for the Wasm
// host and for Envoy. Left out: configurations that are refused (mesh.test.ts has those, with their paths in this
// module's configuration).
import type { Scenario } from "proxy-wasm-host";
import { scenarios as authz } from "../authz/authz.scenarios.ts";
import { scenarios as ratelimit } from "../ratelimit/ratelimit.scenarios.ts";
import { scenarios as router } from "../router/router.scenarios.ts";
import { scenarios as telemetry } from "../telemetry/telemetry.scenarios.ts";

function inMesh(part: string, scenario: Scenario): readonly Scenario[] {
  const { configuration, vmId, refused } = scenario;
  if (refused !== undefined || (configuration !== undefined && typeof configuration !== "object")) return [];
  return [
    {
      ...scenario,
      module: "mesh",
      configuration: { [part]: configuration ?? {} },
      ...(vmId !== undefined && { vmId: `mesh ${vmId}` }),
    },
  ];
}

export const scenarios: readonly Scenario[] = Object.entries({ authz, ratelimit, router, telemetry }).flatMap(
  ([part, table]) => table.flatMap((scenario) => inMesh(part, { ...scenario, name: `${part}: ${scenario.name}` })),
);
