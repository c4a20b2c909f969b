import { asList, asObject, asText, at } from "./dump.ts";

/** One endpoint as Envoy's /clusters?format=json shows it. */
export interface EndpointEntry {
  readonly endpoint: string;
  readonly status: string;
  readonly outlierCheck: string;
  readonly cluster: string;
}

/** Returns the endpoints, sorted by cluster and address. */
export function readEndpoints(clusters: unknown): readonly EndpointEntry[] {
  const entries = asList(at(clusters, "cluster_statuses")).flatMap((cluster) =>
    asList(cluster["host_statuses"]).map((host) => {
      const socket = at(host, "address", "socket_address");
      const internal = asText(at(host, "address", "envoy_internal_address", "server_listener_name"));
      const pipe = asText(at(host, "address", "pipe", "path"));
      const health = asObject(host["health_status"]);
      return {
        endpoint: internal || pipe || `${asText(at(socket, "address"))}:${asText(at(socket, "port_value"))}`,
        status: asText(health["eds_health_status"]) || "HEALTHY",
        outlierCheck: health["failed_outlier_check"] === true ? "FAILED" : "OK",
        cluster: asText(cluster["name"]),
      };
    }),
  );
  const key = (entry: EndpointEntry) => `${entry.cluster} ${entry.endpoint}`;
  return entries.sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

export const ENDPOINT_HEADER = ["ENDPOINT", "STATUS", "OUTLIER CHECK", "CLUSTER"];

/** Returns the table's cells for an endpoint. */
export function endpointRow({ endpoint, status, outlierCheck, cluster }: EndpointEntry): string[] {
  return [endpoint, status, outlierCheck, cluster];
}
