// Objects that are exported to namespaces in which there is nobody to see them.
import type { FieldPath } from "../model/document.ts";
import type { MeshObject } from "../model/object.ts";
import { EXPORT_TO_ANNOTATION, serviceExportTo } from "../translate/resolve/visibility.ts";
import type { World } from "../world/world.ts";
import { isInhabited } from "./egress.ts";
import { analysisOf, type Flaw } from "./finding.ts";

const WORDS = ["*", ".", "~"];

const inSpec = (["VirtualService", "DestinationRule", "ServiceEntry"] as const).map((kind) =>
  analysisOf(kind, (world, { spec }: MeshObject<"VirtualService" | "DestinationRule" | "ServiceEntry">) =>
    (spec.exportTo ?? []).flatMap((entry, index) => faultOf(world, entry, ["spec", "exportTo", index])),
  ),
);

const inAnnotation = analysisOf("Service", (world, service) =>
  (serviceExportTo(service) ?? []).flatMap((entry) =>
    faultOf(world, entry, ["metadata", "annotations", EXPORT_TO_ANNOTATION]),
  ),
);

/** Returns names of namespaces in exportTo that nobody is in, by kind. */
export const exportAnalyses = [...inSpec, inAnnotation];

function faultOf(world: World, entry: string, path: FieldPath): readonly Flaw[] {
  if (WORDS.includes(entry) || isInhabited(world, entry)) return [];
  return [{ path, message: `there is nothing in namespace ${entry}: nobody sees this by it` }];
}
