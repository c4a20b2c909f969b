// Consumes: a source's batches of documents.
// Produces: the World of what is accepted of them, what is wrong with the rest, and on disk what is in force.
// Never does: let the next stage start before the source has told everything there is.
import { join } from "node:path";
import type { DiskNews } from "../disk/kept-file.ts";
import { allKinds } from "../model/kinds.ts";
import { MESH_SOURCE } from "../source/files/mesh-directory.ts";
import type { Source } from "../source/source.ts";
import type { ServeSettings } from "../settings/settings.ts";
import { type Cell, createCell } from "../stages/cell.ts";
import type { Stage } from "../stages/stage.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { Registry } from "../telemetry/metrics.ts";
import { registerValidationMetrics } from "../telemetry/validation-metrics.ts";
import type { World } from "../world/world.ts";
import { ACCEPTED_OBJECTS_FILE, createAcceptedObjects, type InForce, type Remembered } from "./accepted-objects.ts";
import { createIntake } from "./intake.ts";
import type { StoreViolation } from "./objects-in-force.ts";
import { createStore } from "./store.ts";

/** What is kept for the next start may be a little late. */
const KEEP_AFTER_MS = 1_000;

export interface StoreStage extends Stage {
  readonly world: Cell<World>;
  readonly violations: Cell<readonly StoreViolation[]>;
  readonly remembered: Remembered;
  /** Returns the stage that keeps what is in force for the next start: `world` without what was found bad later. */
  keeping(inForce: InForce): Stage;
}

interface StoreDeps {
  readonly source: Source;
  readonly clock: Clock;
  readonly news: DiskNews;
  readonly metrics: Registry;
}

type Settings = Pick<ServeSettings, "strict" | "allowEmpty" | "directory" | "stateDir">;

/** Returns the stage that holds the mesh's objects; its World is empty until it has started. */
export function createStoreStage(
  { strict, allowEmpty, directory, stateDir }: Settings,
  { source, clock, news, metrics }: StoreDeps,
): StoreStage {
  const accepted = createAcceptedObjects(join(stateDir, ACCEPTED_OBJECTS_FILE), ({ kind }) => kind !== "Pod", {
    news,
    sleep: (ms, signal) => clock.sleep(ms, signal),
    quietMs: KEEP_AFTER_MS,
  });
  const remembered = accepted.read();
  const count = registerValidationMetrics(metrics, new Set(allKinds));
  const store = createStore({
    strict,
    remembered: remembered.objects,
    judged: ({ value }, verdict) => count(value, verdict === "accepted"),
    ...(allowEmpty || directory === undefined ? {} : { keeps: { name: MESH_SOURCE, directory } }),
  });
  const intake = createIntake({ store, clock });
  const world = createCell(store.world());
  const violations = createCell(store.violations());
  store.subscribe((update) => {
    violations.set(update.violations);
    world.set(update.world);
  });
  return {
    name: "store",
    world,
    violations,
    remembered,
    async start() {
      await source.start(intake.take);
      await intake.settled();
    },
    stop: () => source.stop(),
    keeping: (inForce) => ({
      name: "kept objects",
      async start() {
        accepted.keep(inForce);
        inForce.world.subscribe(() => accepted.keep(inForce));
      },
      stop: () => accepted.flush(),
    }),
  };
}
