// consumes: the World's Services, EndpointSlices, Pods, Deployments and ServiceEntries
// produces: every host of the mesh with its ports, protocols and the addresses behind them
// never does: look at a client: who may see what, and how it is reached, is decided elsewhere
import { derived, sameEntries, sameItems } from "../../world/derive.ts";
import type { World } from "../../world/world.ts";
import type { MeshService } from "./mesh-service.ts";
import { entryServices } from "./service-entry.ts";
import { kubernetesServices } from "./service.ts";
import { isExported } from "./visibility.ts";

/**
 * Returns every declared host, Services before ServiceEntries, each oldest first; a host may be declared more than
 * once.
 */
export const resolveRegistry = derived(
  (world: World): readonly MeshService[] => [...kubernetesServices(world), ...entryServices(world)],
  { same: sameItems },
);

/** The hosts one namespace sees, one entry per host, by host name. */
export type VisibleHosts = ReadonlyMap<string, MeshService>;

/**
 * Returns the hosts that clients in `namespace` may see. Of several declarations of one host the client's own namespace
 * goes first, then Services, then age; ports that only a later one has are added.
 */
export const visibleHosts = derived(
  (world: World, namespace: string): VisibleHosts => {
    const byHost = new Map<string, MeshService[]>();
    for (const service of resolveRegistry(world)) {
      if (!isExported(service.exportTo, service.ref.namespace, namespace)) continue;
      const same = byHost.get(service.host);
      if (same === undefined) byHost.set(service.host, [service]);
      else same.push(service);
    }
    const hosts = new Map<string, MeshService>();
    for (const [host, declared] of [...byHost].sort(([a], [b]) => (a < b ? -1 : 1)))
      hosts.set(host, mergeServices(declared, namespace));
    return hosts;
  },
  { same: sameEntries },
);

/** Returns one host as clients in `namespace` see it. */
export const visibleHost = derived((world: World, namespace: string, host: string): MeshService | undefined =>
  visibleHosts(world, namespace).get(host),
);

function mergeServices(declared: readonly MeshService[], namespace: string): MeshService {
  const own = declared.filter((service) => service.ref.namespace === namespace);
  const [first, ...rest] = [...own, ...declared.filter((service) => service.ref.namespace !== namespace)];
  if (first === undefined) throw new RangeError("a host needs a declaration");
  const ports = [...first.ports];
  const backends = new Map(first.backends);
  // Only what is reached in the same way can be one upstream set: the first declaration says how.
  for (const other of rest.filter(
    (service) => service.discovery === first.discovery && service.internal === first.internal,
  )) {
    for (const port of other.ports) {
      if (ports.some((known) => known.number === port.number)) continue;
      ports.push(port);
      backends.set(port.number, other.backends.get(port.number) ?? []);
    }
  }
  if (ports.length === first.ports.length) return first;
  const identities = [...new Set(declared.flatMap((service) => service.identities))].sort();
  return { ...first, ports, backends, identities };
}
