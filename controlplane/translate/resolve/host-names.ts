// What a captured pod's programs are told when they ask for the address of a host of the mesh.
import { isDeepStrictEqual } from "node:util";
import { isWildcardHost } from "../../model/hosts.ts";
import type { Labels } from "../../model/labels.ts";
import { type PodFacts, podFactsOf } from "../../pods/pod-facts.ts";
import { derived, sameItems } from "../../world/derive.ts";
import type { World } from "../../world/world.ts";
import type { NamedAddresses } from "../ir/captured.ts";
import { byClient, serviceNames } from "./client-scope.ts";
import { addressesOf } from "./host-address.ts";
import type { MeshService } from "./mesh-service.ts";
import { podAt } from "./pod-endpoints.ts";
import { visibleHost } from "./registry.ts";

/** Returns all hosts in a client's scope that have addresses, by name. */
export const hostNames = derived(
  (world: World, namespace: string, labels: Labels): readonly NamedAddresses[] =>
    serviceNames(world, namespace, labels).flatMap((host) => namesOf(world, namespace, host)),
  { ...byClient, same: sameItems },
);

const namesOf = derived(
  (world: World, namespace: string, host: string): readonly NamedAddresses[] => {
    const service = visibleHost(world, namespace, host);
    if (service === undefined || !isName(host)) return [];
    const addresses = answersFor(world, service);
    return addresses.length === 0 ? [] : [{ name: host, addresses }, ...namesOfMembers(world, service, addresses)];
  },
  { same: isDeepStrictEqual },
);

/** The pods of a StatefulSet have names of their own under that of their headless service: `web-0.web`. */
function namesOfMembers(
  world: World,
  { isHeadless, host, ref }: MeshService,
  addresses: readonly string[],
): readonly NamedAddresses[] {
  if (!isHeadless) return [];
  return addresses.flatMap((address) => {
    const pod = podAt(world, ref.namespace, address);
    const facts = pod && podFactsOf(pod);
    return facts !== undefined && isMember(world, facts)
      ? [{ name: `${facts.name}.${host}`, addresses: [address] }]
      : [];
  });
}

/** Kubernetes says it by a label; where nobody does, the StatefulSet is known. */
function isMember(world: World, { name, namespace, workload, labels }: PodFacts): boolean {
  return (
    labels["statefulset.kubernetes.io/pod-name"] === name ||
    (world.get("StatefulSet", namespace, workload) !== undefined && /^\d+$/.test(name.slice(workload.length + 1)))
  );
}

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
