import { asList, asObject, asText, at, type Json, sections } from "./dump.ts";

/** Returns the active listeners of a config dump. */
export function readListeners(dump: unknown): readonly Json[] {
  return sections(dump, "ListenersConfigDump").flatMap((section) => [
    ...asList(section["static_listeners"]).map((entry) => asObject(entry["listener"])),
    ...asList(section["dynamic_listeners"])
      .map((entry) => asObject(at(entry, "active_state", "listener")))
      .filter((listener) => listener["name"] !== undefined),
  ]);
}

export const LISTENER_HEADER = ["ADDRESSES", "PORT", "MATCH", "DESTINATION"];

/** Returns a row for each filter chain. */
export function listenerRows(listener: Json): string[][] {
  const socket = at(listener, "address", "socket_address");
  const address = asText(at(socket, "address")) || asText(listener["name"]);
  const port = asText(at(socket, "port_value")) || "0";
  const chains = [
    ...asList(listener["filter_chains"]),
    ...(listener["default_filter_chain"] === undefined ? [] : [asObject(listener["default_filter_chain"])]),
  ];
  return chains.map((chain) => [address, port, matchOf(chain), destinationOf(chain)]);
}

function matchOf(chain: Json): string {
  const match = asObject(chain["filter_chain_match"]);
  const texts = (name: string): string =>
    Array.isArray(match[name]) ? (match[name] as unknown[]).map(asText).join(",") : "";
  const parts = [
    ["SNI", texts("server_names")],
    ["Trans", asText(match["transport_protocol"])],
    ["App", texts("application_protocols")],
    ["Port", asText(match["destination_port"])],
  ].flatMap(([label, value]) => (value ? [`${label}: ${value}`] : []));
  return parts.join("; ") || "ALL";
}

function destinationOf(chain: Json): string {
  for (const filter of asList(chain["filters"])) {
    const config = asObject(filter["typed_config"]);
    const route = asText(at(config, "rds", "route_config_name")) || asText(at(config, "route_config", "name"));
    if (config["rds"] !== undefined) return `Route: ${route}`;
    if (config["route_config"] !== undefined) return inlineDestination(config["route_config"], route);
    const cluster = asText(config["cluster"]);
    if (cluster !== "") return `Cluster: ${cluster}`;
  }
  return "Non-HTTP/Non-TCP";
}

function inlineDestination(routeConfig: unknown, name: string): string {
  const clusters = new Set(
    asList(at(routeConfig, "virtual_hosts"))
      .flatMap((host) => asList(host["routes"]))
      .map((route) => asText(at(route, "route", "cluster")))
      .filter(Boolean),
  );
  return clusters.size === 1 ? `Cluster: ${[...clusters][0]}` : `Inline Route: ${name}`;
}
