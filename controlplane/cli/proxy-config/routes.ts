import { asList, asObject, asText, at, type Json, sections } from "./dump.ts";

/** Returns the route configurations of a config dump, with the virtual hosts that came by VHDS. */
export function readRoutes(dump: unknown): readonly Json[] {
  return sections(dump, "RoutesConfigDump").flatMap((section) =>
    ["static_route_configs", "dynamic_route_configs"].flatMap((field) =>
      asList(section[field]).map((entry) => asObject(entry["route_config"])),
    ),
  );
}

export const ROUTE_HEADER = ["NAME", "VHOST NAME", "DOMAINS", "MATCH", "VIRTUAL SERVICE"];

/**
 * Returns a row for each route; those that wait for the router filter's choice stand once more as Envoy would match
 * them, and are shown by that.
 */
export function routeRows(config: Json): string[][] {
  const name = asText(config["name"]);
  return asList(config["virtual_hosts"]).flatMap((host) => {
    const domains = Array.isArray(host["domains"]) ? host["domains"].map(asText) : [];
    const shown =
      domains.length > 2 ? `${domains.slice(0, 2).join(", ")} + ${domains.length - 2} more...` : domains.join(", ");
    return asList(host["routes"])
      .filter((route) => at(route, "match", "filter_state") === undefined)
      .map((route) => [name, asText(host["name"]), shown, matchOf(asObject(route["match"])), virtualServiceOf(route)]);
  });
}

function matchOf(match: Json): string {
  const regex = asText(at(match, "safe_regex", "regex"));
  const path = asText(match["path"]);
  const segments = asText(match["path_separated_prefix"]);
  if (regex !== "") return `regex ${regex}`;
  if (path !== "") return path;
  if (match["connect_matcher"] !== undefined) return "CONNECT";
  return segments === "" ? `${asText(match["prefix"])}*` : `${segments}/*`;
}

function virtualServiceOf(route: Json): string {
  const match = /\/namespaces\/([^/]+)\/virtual-service\/([^/]+)$/.exec(
    asText(at(route, "metadata", "filter_metadata", "istio", "config")),
  );
  return match
    ? `${match[2]}.${match[1]}`
    : route["direct_response"] !== undefined && route["name"] === "block_all"
      ? "404"
      : "";
}
