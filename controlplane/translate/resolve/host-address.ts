// The addresses at which clients find a host: its own, else ones that the mesh makes up.
import { allocateAddresses } from "../../model/allocated-address.ts";
import { isWildcardHost } from "../../model/hosts.ts";
import { derived, sameItems } from "../../world/derive.ts";
import type { World } from "../../world/world.ts";
import type { MeshService } from "./mesh-service.ts";
import { resolveRegistry } from "./registry.ts";

/**
 * Returns the IP addresses that clients are told for a host; none for hosts whose clients choose an address themselves.
 */
export function addressesOf(world: World, service: MeshService): readonly string[] {
  return needsAddress(service) ? allocatedTo(world, nameOf(service)) : service.addresses;
}

/**
 * Clients of a headless service and of one that resolves nothing (NONE) know an address, those of a subnet one of many,
 * and a wildcard is no name that anybody asks for.
 */
function needsAddress({ addresses, subnets, isHeadless, discovery, host }: MeshService): boolean {
  return addresses.length + subnets.length === 0 && !isHeadless && discovery !== "forward" && !isWildcardHost(host);
}

const allocatedTo = derived(
  (world: World, name: string): readonly string[] => {
    const found = allAllocated(world).get(name);
    return found === undefined ? [] : [found.v4, found.v6];
  },
  { same: sameItems },
);

const allAllocated = derived((world: World) => allocateAddresses(namesWithout(world)));

/** Oldest first. */
const namesWithout = derived(
  (world: World): readonly string[] => resolveRegistry(world).filter(needsAddress).map(nameOf),
  { same: sameItems },
);

/** Two namespaces may mean different things by one host. */
function nameOf({ ref, host }: MeshService): string {
  return `${ref.namespace}/${host}`;
}
