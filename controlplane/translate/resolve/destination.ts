// From a destination in a route to the upstream it means.
import { resolveHost } from "../../model/hosts.ts";
import type { DestinationSpec } from "../../model/kinds/virtual-service.ts";
import type { Labels } from "../../model/labels.ts";
import type { World } from "../../world/world.ts";
import type { Upstream, UpstreamId } from "../ir/upstream.ts";
import type { MeshService } from "./mesh-service.ts";
import { visibleHost } from "./registry.ts";
import { missingUpstream, serviceUpstream } from "./upstream.ts";

/** Finds upstreams for one client and remembers which were asked for. */
export interface DestinationResolver {
  /**
   * Returns the upstream of a destination named in a resource of namespace `owner`: a missing port means the service's
   * only port, else `listenerPort`. What nobody declared, or not for this client, is an upstream without addresses.
   */
  find(destination: DestinationSpec, owner: string, listenerPort: number): Upstream;
  /** Returns the upstream of a whole service's port. */
  ofPort(service: MeshService, port: number): Upstream;
  /** Every upstream asked for so far, by identity, in the order of the first question. */
  readonly used: ReadonlySet<Upstream>;
}

/** Returns a resolver for clients with these labels in `namespace`. */
export function createDestinations(world: World, namespace: string, labels: Labels): DestinationResolver {
  const used = new Set<Upstream>();
  const use = (upstream: Upstream) => {
    used.add(upstream);
    return upstream;
  };
  const pick = (id: UpstreamId) => serviceUpstream(world, namespace, labels, id) ?? missingUpstream(world, id);
  return {
    used,
    find(destination, owner, listenerPort) {
      const host = resolveHost(destination.host, owner);
      const service = visibleHost(world, namespace, host);
      const onlyPort = service?.ports.length === 1 ? service.ports[0]?.number : undefined;
      const port = destination.port?.number ?? onlyPort ?? listenerPort;
      return use(pick({ direction: "outbound", port, subset: destination.subset ?? "", host }));
    },
    ofPort: (service, port) => use(pick({ direction: "outbound", port, subset: "", host: service.host })),
  };
}
