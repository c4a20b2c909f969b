// `scrim proxy-config`: what one proxy's Envoy really has, asked from its admin page.
import type { ProxyStatus } from "../../admin/contract.ts";
import { fetchFromEnvoy, fetchProxies, findProxy } from "../admin-client.ts";
import { type OutputFormat, renderTable, renderValue } from "../output.ts";
import type { Terminal } from "../terminal.ts";
import { CLUSTER_HEADER, clusterRow, readClusters } from "./clusters.ts";
import { ECDS_HEADER, ecdsRow, readEcds } from "./ecds.ts";
import { ENDPOINT_HEADER, endpointRow, readEndpoints } from "./endpoints.ts";
import { LISTENER_HEADER, listenerRows, readListeners } from "./listeners.ts";
import { readRoutes, ROUTE_HEADER, routeRows } from "./routes.ts";
import { readSecrets, SECRET_HEADER, secretRow } from "./secrets.ts";

export const configKinds = ["cluster", "listener", "route", "endpoint", "secret", "ecds"] as const;
export type ConfigKind = (typeof configKinds)[number];

export interface ProxyConfigOptions {
  readonly admin: string;
  readonly output: OutputFormat;
  readonly nowMs: number;
}

/** What is shown: the objects for JSON and YAML, and the same as a table. */
interface View {
  readonly objects: readonly unknown[];
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Prints one kind of configuration of one proxy. */
export async function proxyConfig(
  kind: ConfigKind,
  proxyName: string,
  options: ProxyConfigOptions,
  terminal: Terminal,
): Promise<void> {
  const proxy = findProxy(await fetchProxies(options.admin), proxyName);
  const view = await fetchView(kind, proxy, options.nowMs);
  terminal.out(
    options.output === "table" ? renderTable(view.header, view.rows) : renderValue(view.objects, options.output),
  );
}

async function fetchView(kind: ConfigKind, proxy: ProxyStatus, nowMs: number): Promise<View> {
  if (kind === "endpoint") {
    const endpoints = readEndpoints(JSON.parse(await fetchFromEnvoy(proxy, "/clusters?format=json")));
    return { objects: endpoints, header: ENDPOINT_HEADER, rows: endpoints.map(endpointRow) };
  }
  return viewOf(kind, JSON.parse(await fetchFromEnvoy(proxy, "/config_dump")), nowMs);
}

/** Returns what a config dump says of one kind; exported for its test. */
export function viewOf(kind: Exclude<ConfigKind, "endpoint">, dump: unknown, nowMs: number): View {
  switch (kind) {
    case "cluster": {
      const clusters = readClusters(dump);
      return { objects: clusters, header: CLUSTER_HEADER, rows: clusters.map(clusterRow) };
    }
    case "listener": {
      const listeners = readListeners(dump);
      return { objects: listeners, header: LISTENER_HEADER, rows: listeners.flatMap(listenerRows) };
    }
    case "route": {
      const routes = readRoutes(dump);
      return { objects: routes, header: ROUTE_HEADER, rows: routes.flatMap(routeRows) };
    }
    case "secret": {
      const secrets = readSecrets(dump);
      return { objects: secrets, header: SECRET_HEADER, rows: secrets.map((secret) => secretRow(secret, nowMs)) };
    }
    case "ecds": {
      const filters = readEcds(dump);
      return { objects: filters, header: ECDS_HEADER, rows: filters.map(ecdsRow) };
    }
  }
}
