// Consumes: what the control plane knows of its own kinds and of its installation.
// Produces: the files of deploy/ that follow from it, by path.
// Never does: I/O.
import { stringify } from "yaml";
import { chartFiles } from "../../controlplane/install/charts.ts";
import { customResourceDefinitions } from "../../controlplane/install/crds/custom-resource-definitions.ts";

const GENERATED = "# Generated from the schemas of controlplane/model/kinds by `npm run generate`: edit those.\n";

/** Returns every generated file: its path below the repository's root, and what it holds. */
export function generatedFiles(): ReadonlyMap<string, string> {
  return new Map([
    ...customResourceDefinitions().map((definition): [string, string] => [
      `deploy/crds/${definition.metadata.name}.yaml`,
      // kubectl reads YAML 1.1.
      GENERATED + stringify(definition, { lineWidth: 0, aliasDuplicateObjects: false, version: "1.1" }),
    ]),
    ...chartFiles(),
  ]);
}

/** The folders that hold nothing but generated files. */
export const GENERATED_FOLDERS: readonly string[] = ["deploy/crds", "deploy/charts"];
