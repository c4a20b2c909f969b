import { join } from "node:path";
import type { UpSettings } from "../settings/settings.ts";
import { createFileSource } from "../source/files/file-source.ts";
import { ACCEPTED_OBJECTS_FILE, readAcceptedObjects } from "../store/accepted-objects.ts";
import { createStore } from "../store/store.ts";
import type { World } from "../world/world.ts";
import { createSystemClock } from "../telemetry/clock.ts";

/**
 * Watches the mesh directory with the control plane's own source and store; what is wrong with it is the control
 * plane's to tell.
 */
export async function watchMesh(
  { directory, stateDir, strict, allowEmpty }: UpSettings,
  onWorld: (world: World) => void,
): Promise<{ stop(): Promise<void> }> {
  // What the control plane falls back to where a file is broken at the start: both must see the same workloads.
  const remembered = readAcceptedObjects(join(stateDir, ACCEPTED_OBJECTS_FILE)).objects;
  const store = createStore({ strict, remembered, ...(allowEmpty ? {} : { keeps: { name: directory, directory } }) });
  const source = createFileSource({ directory, clock: createSystemClock(), allowEmpty });
  let told = false;
  store.subscribe(({ world, worldChanged }) => {
    if (!worldChanged) return;
    told = true;
    onWorld(world);
  });
  await source.start((batch) => store.apply(batch));
  // An empty directory is a mesh too.
  if (!told) onWorld(store.world());
  return source;
}
