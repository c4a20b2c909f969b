// What the four filters must do on a real Envoy, whichever modules they come in.
import { afterAll, beforeAll } from "vitest";
import { describeAuthz } from "./authz-cases.ts";
import type { FilterModules } from "./filters-bootstrap.ts";
import { type FiltersStage, startFiltersStage } from "./filters-stage.ts";
import { describeRateLimit } from "./rate-limit-cases.ts";
import { describeRouter } from "./router-cases.ts";
import { describeTelemetry } from "./telemetry-cases.ts";

/** Registers the tests, for an Envoy of their own. */
export function describeFilters(modules: FilterModules): void {
  let stage: FiltersStage;
  beforeAll(async () => void (stage = await startFiltersStage(modules)));
  afterAll(() => stage?.stop());
  for (const describeOne of [describeAuthz, describeRateLimit, describeRouter, describeTelemetry])
    describeOne(() => stage);
}
