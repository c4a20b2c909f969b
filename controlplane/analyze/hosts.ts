// Hosts that others name: whether anybody declares them, and their ports.
import type { FieldPath } from "../model/document.ts";
import { CLUSTER_DOMAIN, hostMatches, isWildcardHost, serviceHost } from "../model/hosts.ts";
import { resolveRegistry } from "../translate/resolve/registry.ts";
import { didYouMean } from "../validate/suggest.ts";
import { derived } from "../world/derive.ts";
import type { World } from "../world/world.ts";
import type { Flaw } from "./finding.ts";

/** What the hosts of Services end in. */
export const SERVICE_SUFFIX = `.svc.${CLUSTER_DOMAIN}`;

/** The ports of every declared host, by host, whoever may see it. */
const portsByHost = derived((world: World): ReadonlyMap<string, readonly number[]> => {
  const byHost = new Map<string, Set<number>>();
  for (const { host, ports } of resolveRegistry(world)) {
    const numbers = byHost.get(host) ?? new Set();
    for (const { number } of ports) numbers.add(number);
    byHost.set(host, numbers);
  }
  return new Map([...byHost].map(([host, numbers]) => [host, [...numbers].sort((a, b) => a - b)]));
});

/** The ports of one host as a text, so that equal ones are the same; undefined if nobody declares it. */
const portsOf = derived((world: World, host: string): string | undefined => portsByHost(world).get(host)?.join(", "));

/** Whether some declared host is covered by a wildcard, or is a wildcard that covers this one. */
export const isCovered = derived((world: World, pattern: string): boolean => {
  for (const host of portsByHost(world).keys())
    if (hostMatches(pattern, host) || (isWildcardHost(host) && hostMatches(host, pattern))) return true;
  return false;
});

/** Services are likened by name and namespace: what all of them end in makes none of them alike. */
const similarHost = derived((world: World, host: string): string =>
  didYouMean(withoutSuffix(host), [...portsByHost(world).keys()].map(withoutSuffix)),
);

function withoutSuffix(host: string): string {
  return host.endsWith(SERVICE_SUFFIX) ? host.slice(0, -SERVICE_SUFFIX.length) : host;
}

/** Returns what is wrong with naming this host (resolved, and no wildcard) and, if given, one of its ports. */
export function hostFaults(
  world: World,
  host: string,
  at: FieldPath,
  port?: { readonly number: number; readonly at: FieldPath } | undefined,
): readonly Flaw[] {
  const ports = portsOf(world, host);
  if (ports === undefined) return isCovered(world, host) ? [] : [hostMissing(world, host, at)];
  if (port === undefined || ports.split(", ").includes(String(port.number))) return [];
  const has = ports === "" ? "it has none" : `it has ${ports}`;
  const lacks = lackingHost(host);
  return [{ path: port.at, message: `${host} has no port ${port.number}: ${has}`, lacks }];
}

function hostMissing(world: World, host: string, path: FieldPath): Flaw {
  const message = `no Service or ServiceEntry declares the host ${host}${similarHost(world, host)}`;
  return { path, message, lacks: lackingHost(host) };
}

/** Who could declare a host: its Service, or any ServiceEntry. */
export function lackingHost(host: string): readonly string[] {
  const [name = "", namespace = ""] = host.split(".");
  return serviceHost(name, namespace) === host ? [`Service/${namespace}/${name}`, "ServiceEntry/"] : ["ServiceEntry/"];
}
