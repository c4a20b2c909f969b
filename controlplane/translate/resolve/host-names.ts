// What a captured pod's programs are told when they ask for the address of a host of the mesh.
import { isWildcardHost } from "../../model/hosts.ts";
import type { Labels } from "../../model/labels.ts";
import { derived } from "../../world/derive.ts";
import { interned } from "../../world/interned.ts";
import type { World } from "../../world/world.ts";
import type { NamedAddresses } from "../ir/captured.ts";
import { byClient, byHost, serviceNames } from "./client-scope.ts";
import { shortNames } from "./host-domains.ts";
import { addressesOf } from "./host-address.ts";
import type { MeshService } from "./mesh-service.ts";
import { visibleHost } from "./registry.ts";

/**
 * Returns the names of all hosts in a client's scope with their addresses, sorted, each name once: a full name is its
 * host's, a shorter one that of the first host by name.
 */
export const hostNames = derived(
  (world: World, namespace: string, labels: Labels): readonly NamedAddresses[] => {
    const known = serviceNames(world, namespace, labels).map((host) => namesOf(world, namespace, labels, host));
    const full = new Set(known.map(({ names }) => names[0]));
    const taken = new Set<string>();
    return known.flatMap(({ names, addresses }) => {
      const own = names.filter((name, index) => (index === 0 || !full.has(name)) && !taken.has(name));
      for (const name of own) taken.add(name);
      return addresses.length === 0 ? [] : [oneEntry({ names: own, addresses })];
    });
  },
  { ...byClient, same: (a, b) => a.length === b.length && a.every((entry, index) => entry === b[index]) },
);

const namesOf = derived((world: World, namespace: string, _labels: Labels, host: string): NamedAddresses => {
  const service = visibleHost(world, namespace, host);
  const addresses = service === undefined || !isName(host) ? [] : answersFor(world, service);
  return oneEntry({ names: [host, ...shortNames(host, namespace)], addresses });
}, byHost);

/** Of a headless service every address behind it, whichever port it is behind. */
function answersFor(world: World, service: MeshService): readonly string[] {
  if (!service.isHeadless) return addressesOf(world, service);
  const behind = [...service.backends.values()].flat().map(({ endpoint }) => endpoint.address);
  return [...new Set(behind)].sort();
}

/** Whether a resolver can be asked for it: `*.example.com` too, `*` and `*foo` not. */
function isName(host: string): boolean {
  return !isWildcardHost(host) || host.startsWith("*.");
}

const oneEntry = interned(
  (entry: NamedAddresses) => entry,
  (entry) => entry,
);
