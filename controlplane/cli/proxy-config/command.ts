// `scrim proxy-config`: what one proxy's Envoy really has, asked from its admin page.
import type { Command } from "commander";
import { fetchFromEnvoy, fetchProxies, findProxy } from "../admin-client.ts";
import type { CommandContext } from "../context.ts";
import { openMesh } from "../asked-mesh/asked-mesh.ts";
import { outputOption, type TableOptions, withAskedMesh } from "../options.ts";
import { renderTable, renderValue } from "../output.ts";
import { CLUSTER_HEADER, clusterRow, readClusters } from "./clusters.ts";
import { ECDS_HEADER, ecdsRow, readEcds } from "./ecds.ts";
import { ENDPOINT_HEADER, endpointRow, readEndpoints } from "./endpoints.ts";
import { LISTENER_HEADER, listenerRows, readListeners } from "./listeners.ts";
import { readRoutes, ROUTE_HEADER, routeRows } from "./routes.ts";
import { readSecrets, SECRET_HEADER, secretRow } from "./secrets.ts";

const configKinds = ["cluster", "listener", "route", "endpoint", "secret", "ecds"] as const;
export type ConfigKind = (typeof configKinds)[number];

const ALIASES: Readonly<Record<ConfigKind, readonly string[]>> = {
  cluster: ["clusters", "c"],
  listener: ["listeners", "l"],
  route: ["routes", "r"],
  endpoint: ["endpoints", "ep"],
  secret: ["secrets", "s"],
  ecds: ["ec"],
};
const NAMES = `
A proxy is named by pod or workload, with the namespace where it is needed:
  scrim proxy-config cluster reviews-v1
  scrim pc route default/productpage-v1 -o json
  scrim pc ecds istio-ingressgateway.istio-system`;

/** Adds `scrim proxy-config`. */
export function addProxyConfig(program: Command, context: CommandContext): void {
  const parent = program
    .command("proxy-config")
    .alias("pc")
    .description("what one proxy's Envoy has")
    .addHelpText("after", NAMES);
  for (const kind of configKinds)
    withAskedMesh(
      parent
        .command(kind)
        .aliases([...ALIASES[kind]])
        .description(`the proxy's ${kind === "ecds" ? "filter configurations that came by ECDS" : `${kind}s`}`)
        .argument("<proxy>", "pod or workload"),
    )
      .addOption(outputOption("table", "json", "yaml"))
      .action((proxy: string, options: TableOptions) => proxyConfig(kind, proxy, options, context));
}

/** What is shown: the objects for JSON and YAML, and the same as a table. */
interface View {
  readonly objects: readonly unknown[];
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Prints one kind of configuration of one proxy. */
async function proxyConfig(
  kind: ConfigKind,
  proxyName: string,
  options: TableOptions,
  context: CommandContext,
): Promise<void> {
  const mesh = await openMesh(options, context);
  const proxy = findProxy(await fetchProxies(mesh), proxyName, mesh.namespace);
  const fetchPage = async (path: string): Promise<unknown> => JSON.parse(await fetchFromEnvoy(mesh, proxy, path));
  const view = await fetchView(kind, fetchPage, context.clock.nowMs());
  context.terminal.out(
    options.output === "table" ? renderTable(view.header, view.rows) : renderValue(view.objects, options.output),
  );
}

async function fetchView(
  kind: ConfigKind,
  fetchPage: (path: string) => Promise<unknown>,
  nowMs: number,
): Promise<View> {
  if (kind === "endpoint") {
    const endpoints = readEndpoints(await fetchPage("/clusters?format=json"));
    return { objects: endpoints, header: ENDPOINT_HEADER, rows: endpoints.map(endpointRow) };
  }
  return viewOf(kind, await fetchPage("/config_dump"), nowMs);
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
