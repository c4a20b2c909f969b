// Telemetry objects against the mesh and against each other. Pure.
import { LABELS } from "../../filters/telemetry/labels.ts";
import type { FieldPath } from "../model/document.ts";
import type { MeshObject } from "../model/object.ts";
import type { World } from "../world/world.ts";

/** Something wrong with an object, without its place. */
interface TelemetryFinding {
  readonly object: MeshObject<"Telemetry">;
  readonly path: FieldPath;
  readonly message: string;
}

/**
 * Returns labels that no proxy's bootstrap declares, and objects that an older one on the same level makes ineffective.
 */
export function analyzeTelemetry(world: World): readonly TelemetryFinding[] {
  const known = new Set<string>([...LABELS, ...world.mesh.extraStatTags]);
  const owners = new Map<string, MeshObject<"Telemetry">>();
  return world.list("Telemetry").flatMap((object) => [...undeclared(object, known), ...rivals(object, owners)]);
}

function undeclared(object: MeshObject<"Telemetry">, known: ReadonlySet<string>): readonly TelemetryFinding[] {
  return (object.spec.metrics ?? []).flatMap(({ overrides }, i) =>
    (overrides ?? []).flatMap(({ tagOverrides }, j) =>
      Object.keys(tagOverrides ?? {})
        .filter((name) => !known.has(name))
        .map((name) => ({
          object,
          path: ["spec", "metrics", i, "overrides", j, "tagOverrides", name],
          message:
            `label ${name} is left out: proxies learn their labels at start, so add it to MeshConfig's ` +
            "defaultConfig.extraStatTags and restart them",
        })),
    ),
  );
}

/** Objects without a selector: of several in one namespace the oldest counts. */
function rivals(
  object: MeshObject<"Telemetry">,
  owners: Map<string, MeshObject<"Telemetry">>,
): readonly TelemetryFinding[] {
  if (Object.keys(object.spec.selector?.matchLabels ?? {}).length > 0) return [];
  const { namespace } = object.metadata;
  const owner = owners.get(namespace);
  if (owner === undefined) owners.set(namespace, object);
  return owner === undefined
    ? []
    : [
        {
          object,
          path: ["spec"],
          message:
            `has no effect: Telemetry ${namespace}/${owner.metadata.name} is older ` +
            "and speaks for the same workloads",
        },
      ];
}
