// Consumes: the settings that say where the mesh's documents are.
// Produces: its sources: the mesh directory, and beside it what `scrim up` says of the pods it runs.
// Never does: read a file itself.
import type { Installation } from "../../settings/installation.ts";
import type { DirectorySource } from "../../settings/settings.ts";
import type { Source } from "../source.ts";
import { createFileSource, type SourceClock } from "./file-source.ts";
import { createYamlThread } from "./yaml-thread.ts";

/** The name that the mesh directory's batches carry. */
export const MESH_SOURCE = "mesh";

type Directories = Pick<DirectorySource, "directory" | "runtimeDir"> & { readonly allowEmpty: boolean };

/** Returns the sources of a mesh directory as one. */
export function createMeshDirectory(
  { directory, runtimeDir, allowEmpty }: Directories,
  { clock, installation }: { readonly clock: SourceClock; readonly installation: Installation },
): Source {
  const yaml = createYamlThread({ script: installation.yamlThreadScript });
  const parseAside = yaml.parse;
  const sources = [createFileSource({ directory, name: MESH_SOURCE, clock, allowEmpty, parseAside })];
  // Pods come and go by `scrim up`'s own word: when it says that there are none, there are none.
  if (runtimeDir !== undefined)
    sources.push(
      createFileSource({
        directory: runtimeDir,
        name: "runtime",
        clock,
        allowEmpty: true,
        parseAside,
        include: (path) => path.endsWith(".yaml"),
      }),
    );
  return {
    async start(onChange) {
      for (const source of sources) await source.start(onChange);
    },
    async stop() {
      yaml.close();
      await Promise.all(sources.map((source) => source.stop()));
    },
  };
}
