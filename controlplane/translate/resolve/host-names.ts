// What a captured pod's programs are told when they ask for the address of a host of the mesh.
import { isDeepStrictEqual } from "node:util";
import { isWildcardHost } from "../../model/hosts.ts";
import type { Labels } from "../../model/labels.ts";
import { derived, sameItems } from "../../world/derive.ts";
import type { World } from "../../world/world.ts";
import type { NamedAddresses } from "../ir/captured.ts";
import { byClient, serviceNames } from "./client-scope.ts";
import { addressesOf } from "./host-address.ts";
import type { MeshService } from "./mesh-service.ts";
import { visibleHost } from "./registry.ts";

/** Returns all hosts in a client's scope that have addresses, by name. */
export const hostNames = derived(
  (world: World, namespace: string, labels: Labels): readonly NamedAddresses[] =>
    serviceNames(world, namespace, labels).flatMap((host) => nameOf(world, namespace, host) ?? []),
  { ...byClient, same: sameItems },
);

const nameOf = derived(
  (world: World, namespace: string, host: string): NamedAddresses | undefined => {
    const service = visibleHost(world, namespace, host);
    const addresses = service === undefined || !isName(host) ? [] : answersFor(world, service);
    return addresses.length === 0 ? undefined : { name: host, addresses };
  },
  { same: isDeepStrictEqual },
);

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
