// Where routes and limits lead: hosts, ports and subsets that nobody has.
import type { FieldPath } from "../model/document.ts";
import { hostMatches, resolveHost } from "../model/hosts.ts";
import type { DestinationSpec, HttpRouteSpec } from "../model/kinds/virtual-service.ts";
import { derived } from "../world/derive.ts";
import type { World } from "../world/world.ts";
import { analysisOf, type Flaw } from "./finding.ts";
import { hostFaults } from "./hosts.ts";

/** Returns destinations and mirrors of VirtualServices that lead nowhere. */
export const analyzeDestinations = analysisOf("VirtualService", (world, { metadata, spec }) =>
  (spec.http ?? []).flatMap((route, index) =>
    destinationsOf(route, ["spec", "http", index]).flatMap(([destination, at]) =>
      destinationFaults(world, destination, metadata.namespace, at),
    ),
  ),
);

/** Returns proxies for unknown hosts that nobody declares. */
export const analyzeEgressProxies = analysisOf("Sidecar", (world, { metadata, spec }) => {
  const { egressProxy } = spec.outboundTrafficPolicy ?? {};
  if (egressProxy === undefined) return [];
  return destinationFaults(world, egressProxy, metadata.namespace, ["spec", "outboundTrafficPolicy", "egressProxy"]);
});

/** Returns rate limit services that nobody declares. */
export const analyzeRateLimitServices = analysisOf("RateLimitPolicy", (world, { metadata, spec }) =>
  spec.limits.flatMap(({ global }, index) => {
    if (global === undefined) return [];
    const at = ["spec", "limits", index, "global"];
    const port = global.port === undefined ? undefined : { number: global.port, at: [...at, "port"] };
    return hostFaults(world, resolveHost(global.host, metadata.namespace), [...at, "host"], port);
  }),
);

function destinationsOf(route: HttpRouteSpec, at: FieldPath): readonly (readonly [DestinationSpec, FieldPath])[] {
  return [
    ...(route.route ?? []).map(
      ({ destination }, index) => [destination, [...at, "route", index, "destination"]] as const,
    ),
    ...(route.mirror === undefined ? [] : [[route.mirror, [...at, "mirror"]] as const]),
    ...(route.mirrors ?? []).map(
      ({ destination }, index) => [destination, [...at, "mirrors", index, "destination"]] as const,
    ),
  ];
}

function destinationFaults(
  world: World,
  { host: text, port, subset }: DestinationSpec,
  namespace: string,
  at: FieldPath,
): readonly Flaw[] {
  const host = resolveHost(text, namespace);
  const named = port === undefined ? undefined : { number: port.number, at: [...at, "port", "number"] };
  const faults = hostFaults(world, host, [...at, "host"], named);
  // Where nobody has the host, nobody misses its subsets.
  if (subset === undefined || hasSubset(world, host, subset) || hostFaults(world, host, at).length > 0) return faults;
  const message = `no DestinationRule of ${host} has a subset ${subset}`;
  return [...faults, { path: [...at, "subset"], message, lacks: ["DestinationRule/"] }];
}

/** The subsets that DestinationRules define, by the host or wildcard that they are for. */
const subsetsByHost = derived((world: World): ReadonlyMap<string, ReadonlySet<string>> => {
  const byHost = new Map<string, Set<string>>();
  for (const rule of world.list("DestinationRule")) {
    const host = resolveHost(rule.spec.host, rule.metadata.namespace);
    const names = byHost.get(host) ?? new Set();
    for (const subset of rule.spec.subsets ?? []) names.add(subset.name);
    byHost.set(host, names);
  }
  return byHost;
});

const hasSubset = derived((world: World, host: string, subset: string): boolean => {
  const byHost = subsetsByHost(world);
  if (byHost.get(host)?.has(subset) === true) return true;
  return [...byHost].some(([pattern, names]) => names.has(subset) && hostMatches(pattern, host));
});
