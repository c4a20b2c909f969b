import { asList, asText, at, type Json, sections } from "./dump.ts";

/** Returns the clusters of a config dump as Envoy has them, sorted by name. */
export function readClusters(dump: unknown): readonly Json[] {
  const clusters = sections(dump, "ClustersConfigDump").flatMap((section) =>
    ["static_clusters", "dynamic_active_clusters"].flatMap((field) =>
      asList(section[field]).map((entry) => entry["cluster"] as Json),
    ),
  );
  return clusters.sort((a, b) => (asText(a["name"]) < asText(b["name"]) ? -1 : 1));
}

export const CLUSTER_HEADER = ["SERVICE FQDN", "PORT", "SUBSET", "DIRECTION", "TYPE", "DESTINATION RULE"];

/** Returns the table's cells for a cluster. */
export function clusterRow(cluster: Json): string[] {
  const name = asText(cluster["name"]);
  const parts = name.split("|");
  const type = asText(cluster["type"]) || asText(at(cluster, "cluster_type", "name")) || "STATIC";
  const rule = ruleOf(cluster);
  if (parts.length !== 4) return [name, "-", "-", "-", type, rule];
  const [direction = "", port = "", subset = "", host = ""] = parts;
  return [host || "-", port, subset || "-", direction, type, rule];
}

/** The DestinationRule that shaped the cluster, from Istio's metadata, as in `reviews.default`. */
function ruleOf(cluster: Json): string {
  const path = asText(at(cluster, "metadata", "filter_metadata", "istio", "config"));
  const match = /\/namespaces\/([^/]+)\/destination-rule\/([^/]+)$/.exec(path);
  return match ? `${match[2]}.${match[1]}` : "";
}
