// Who may see an object: exportTo of Service, ServiceEntry, VirtualService and DestinationRule.
import type { MeshObject } from "../../model/object.ts";

/** Istio's annotation by which a Service says who may see it: `.`, `*`, `~` or names of namespaces, comma-separated. */
export const EXPORT_TO_ANNOTATION = "networking.istio.io/exportTo";

/**
 * Returns whether a client in `client` may see something of namespace `owner`. No list at all means everyone; `.` the
 * owner's namespace, `*` everyone, `~` nobody.
 */
export function isExported(exportTo: readonly string[] | undefined, owner: string, client: string): boolean {
  if (isPublic(exportTo)) return true;
  return (exportTo ?? []).some((entry) => entry === client || (entry === "." && owner === client));
}

/** Returns whether the list lets everyone see it. */
export function isPublic(exportTo: readonly string[] | undefined): boolean {
  return exportTo === undefined || exportTo.length === 0 || exportTo.includes("*");
}

/** Returns the exportTo list of a Service, from its annotation. */
export function serviceExportTo(service: MeshObject<"Service">): readonly string[] | undefined {
  const text = service.metadata.annotations[EXPORT_TO_ANNOTATION];
  if (text === undefined || text.trim() === "") return undefined;
  return text
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "");
}
