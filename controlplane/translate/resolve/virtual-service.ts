// Which VirtualServices speak for a host: at sidecars one, at gateways all of them together.
import { compareHostSpecificity, hostMatches, isWildcardHost, resolveHost } from "../../model/hosts.ts";
import type { MeshObject } from "../../model/object.ts";
import { derived, sameItems } from "../../world/derive.ts";
import type { World } from "../../world/world.ts";
import { memoized } from "../../world/memo.ts";
import { qualifyGateway } from "./request-match.ts";
import { isExported, isPublic } from "./visibility.ts";

export type VirtualServiceObject = MeshObject<"VirtualService">;

/** Returns the hosts of a VirtualService, fully qualified. */
export const hostsOf = memoized((service: VirtualServiceObject): readonly string[] =>
  (service.spec.hosts ?? []).map((host) => resolveHost(host, service.metadata.namespace)),
);

/** Returns the gateways of a VirtualService, qualified; `mesh` when it names none. */
const gatewaysOf = memoized((service: VirtualServiceObject): readonly string[] => {
  const names = service.spec.gateways ?? [];
  return names.length === 0 ? ["mesh"] : names.map((name) => qualifyGateway(name, service.metadata.namespace));
});

/** Returns whether sidecars obey it. */
export function isForSidecars(service: VirtualServiceObject): boolean {
  return gatewaysOf(service).includes("mesh");
}

/**
 * Returns the VirtualServices with routes of requests that clients in `namespace` obey at a gateway (`mesh`: in their
 * sidecars), in the order in which they are looked up: those that are not public of the client's own namespace, then
 * those exported to it by name, then public ones, wherever they are; each group oldest first.
 */
export const virtualServicesFor = derived(
  (world: World, namespace: string, gateway: string): readonly VirtualServiceObject[] =>
    boundServices(world, namespace, gateway).filter(({ spec }) => (spec.http ?? []).length > 0),
  { same: sameItems },
);

/** Returns those with routes of connections, in the same order. */
export const connectionServicesFor = derived(
  (world: World, namespace: string, gateway: string): readonly VirtualServiceObject[] =>
    boundServices(world, namespace, gateway).filter(
      ({ spec }) => (spec.tcp ?? []).length + (spec.tls ?? []).length > 0,
    ),
  { same: sameItems },
);

const boundServices = derived(
  (world: World, namespace: string, gateway: string): readonly VirtualServiceObject[] => {
    const bound = world
      .list("VirtualService")
      .filter(
        (service) =>
          gatewaysOf(service).includes(gateway) &&
          isExported(service.spec.exportTo, service.metadata.namespace, namespace),
      );
    const group = (rank: number) => bound.filter((service) => rankFor(service, namespace) === rank);
    return [...group(0), ...group(1), ...group(2)];
  },
  { same: sameItems },
);

/**
 * Returns the one VirtualService that speaks for a host at a sidecar: of those whose host is the most specific that
 * covers it, the first in the order given. For sidecars they do not merge.
 */
export function virtualServiceForHost(
  services: readonly VirtualServiceObject[],
  host: string,
): VirtualServiceObject | undefined {
  const { exact, wildcards } = indexOf(services);
  return exact.get(host) ?? wildcards.find(([pattern]) => hostMatches(pattern, host))?.[1];
}

/** For every host the first service that has it; wildcards from the most specific. */
const indexOf = memoized((services: readonly VirtualServiceObject[]) => {
  const exact = new Map<string, VirtualServiceObject>();
  for (const service of services) for (const host of hostsOf(service)) if (!exact.has(host)) exact.set(host, service);
  const wildcards = [...exact]
    .filter(([host]) => isWildcardHost(host))
    .sort(([a], [b]) => compareHostSpecificity(a, b));
  return { exact, wildcards };
});

function rankFor({ metadata, spec }: VirtualServiceObject, namespace: string): number {
  if (isPublic(spec.exportTo)) return 2;
  return metadata.namespace === namespace ? 0 : 1;
}
