// Consumes: what is wrong with documents, what is wrong between objects, and what is wrong with plugins and rollouts.
// Produces: all of it as one list, and a line for people when something new is in it.
// Never does: judge; each finding is its stage's own.
import { analyzeWorld, type Warning, withoutFollowOns } from "../analyze/analyze-world.ts";
import type { HeldObjects } from "../proxies/held-objects.ts";
import type { RefusedFilesStage } from "../proxies/refused-files.ts";
import { ROLLOUT_ANNOTATION } from "../rollout/plan.ts";
import type { RolloutStage } from "../rollout/rollout-stage.ts";
import type { RolloutProblem } from "../rollout/status.ts";
import { type Cell, createGatheredCell } from "../stages/cell.ts";
import type { Stage } from "../stages/stage.ts";
import type { StoreViolation } from "../store/objects-in-force.ts";
import type { StoreStage } from "../store/store-stage.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { PluginStage } from "../wasm/plugin-stage.ts";
import type { World } from "../world/world.ts";
import { createComplaints } from "./complaints.ts";
import { createWrittenPlaces } from "./written-place.ts";

/** What people are told may be a little late; but whoever just made a mistake waits for a word. */
const TELL = { quietMs: 100, atMostMs: 1_000 };
const AT_ONCE_MS = 0;

export interface FindingsStage extends Stage {
  readonly findings: Cell<readonly StoreViolation[]>;
}

interface FindingsDeps {
  readonly clock: Clock;
  /** Tells people what is wrong with their documents, a line each. */
  readonly complain: (line: string) => void;
  /** Where pods are described that nobody wrote. */
  readonly runtimeDir?: string | undefined;
}

interface JudgingStages {
  readonly held: Pick<HeldObjects, "violations">;
  readonly refusedFiles: Pick<RefusedFilesStage, "violations">;
  readonly store: Pick<StoreStage, "world" | "violations">;
  readonly plugins: Pick<PluginStage, "modules">;
  readonly rollouts: Pick<RolloutStage, "rollouts" | "versions">;
}

/** Returns the stage that tells what is wrong. */
export function createFindingsStage(
  deps: FindingsDeps,
  { store, held, refusedFiles, plugins, rollouts }: JudgingStages,
): FindingsStage {
  const warningsOf = createWarnings();
  const writtenPlace = createWrittenPlaces(deps.runtimeDir);
  const findings = createGatheredCell(
    (): readonly StoreViolation[] =>
      [
        ...store.violations.read(),
        ...held.violations.read(),
        ...refusedFiles.violations.read(),
        ...withoutFollowOns(warningsOf(store.world.read()), store.violations.read()).map(
          ({ lacks: _lacks, ...warning }) => ({ ...warning, servingLastGood: false }),
        ),
        ...plugins.modules.read().problems(),
        ...rollouts.rollouts.problems().map(rolloutViolation),
      ].map((violation) => writtenPlace(store.world.read(), violation)),
    { ...TELL, clock: deps.clock },
  );
  return {
    name: "findings",
    findings,
    async start() {
      const complain = createComplaints(deps.complain);
      complain(findings.read());
      findings.subscribe(complain);
      findings.gather(store.violations, (violations) => (violations.length > 0 ? AT_ONCE_MS : TELL.quietMs));
      findings.gather(store.world);
      findings.gather(held.violations, () => AT_ONCE_MS);
      findings.gather(refusedFiles.violations, () => AT_ONCE_MS);
      findings.gather(plugins.modules);
      findings.gather(rollouts.versions);
    },
    async stop() {
      findings.close();
    },
  };
}

/** What is wrong between objects, found once per state of the mesh. */
function createWarnings(): (world: World) => readonly Warning[] {
  let last: { readonly world: World; readonly warnings: readonly Warning[] } | undefined;
  return (world) => {
    if (last?.world !== world) last = { world, warnings: analyzeWorld(world) };
    return last.warnings;
  };
}

function rolloutViolation({ kind, object, message }: RolloutProblem): StoreViolation {
  const { namespace, name } = object.metadata;
  const place = { origin: { ...object.origin }, object: `WasmPlugin/${namespace}/${name}` };
  if (kind === "trap") return { ...place, field: "spec.url", message, servingLastGood: false, severity: "warning" };
  if (kind !== "plan")
    return { ...place, field: "spec.url", message, servingLastGood: kind === "taken back", severity: "error" };
  return {
    ...place,
    field: `metadata.annotations["${ROLLOUT_ANNOTATION}"]`,
    message: `${message}; a new version is held back until somebody promotes it`,
    servingLastGood: true,
    severity: "error",
  };
}
