// Which part of the mesh a sidecar is told about, and what it does with hosts nobody declared: the Sidecar resource.
import { hostsOverlap, hostMatches, parseScopedHost, resolveHost } from "../../model/hosts.ts";
import { labelsMatch, selectsAll } from "../../model/labels.ts";
import type { MeshObject } from "../../model/object.ts";
import type { MeshConfig, World } from "../../world/world.ts";
import type { UnknownHosts } from "../ir/proxy.ts";
import type { SelectedProxy } from "./workload-selector.ts";

/** One `namespace/host` of an egress list. */
interface EgressHost {
  /** `*` for any. */
  readonly namespace: string;
  readonly pattern: string;
  /** Taken out of what others let in. */
  readonly isExcluded: boolean;
}

/** A sidecar's view. Equal keys mean equal views. */
export interface EgressScope {
  /** Undefined: everything that is exported to the namespace. */
  readonly hosts: readonly EgressHost[] | undefined;
  readonly unknownHosts: UnknownHosts;
}

/**
 * Returns the scope of a sidecar, from the oldest Sidecar that applies: one of its namespace that selects it, else one
 * of its namespace without selector, else one of the root namespace without selector. An outboundTrafficPolicy there
 * goes before MeshConfig's.
 */
export function resolveEgressScope(world: World, proxy: SelectedProxy): EgressScope {
  const sidecar = sidecarOf(world, proxy);
  const mode =
    sidecar?.spec.outboundTrafficPolicy?.mode ??
    (sidecar?.spec.outboundTrafficPolicy === undefined ? world.mesh.outboundTrafficPolicy : "REGISTRY_ONLY");
  return {
    hosts: sidecar && egressHosts(sidecar, proxy.namespace),
    unknownHosts: UNKNOWN_HOSTS[mode],
  };
}

/** An explicit proxy looks hosts up by DNS in both ways: it has nothing else to go by. */
const UNKNOWN_HOSTS: Readonly<Record<MeshConfig["outboundTrafficPolicy"], UnknownHosts>> = {
  ALLOW_ANY: "forward",
  ALLOW_ANY_DYNAMIC_DNS: "forwardByDns",
  REGISTRY_ONLY: "refuse",
};

/** Returns whether a service of a namespace is within the scope. */
export function scopeHasService(scope: EgressScope, namespace: string, host: string): boolean {
  return (
    scope.hosts === undefined ||
    isWithin(scope.hosts, (entry) => inNamespace(entry, namespace) && hostMatches(entry.pattern, host))
  );
}

/** Returns whether a VirtualService of a namespace is within the scope: one of its hosts must be. */
export function scopeHasVirtualService(scope: EgressScope, namespace: string, hosts: readonly string[]): boolean {
  return (
    scope.hosts === undefined ||
    isWithin(
      scope.hosts,
      (entry) =>
        inNamespace(entry, namespace) &&
        hosts.some((host) => (entry.isExcluded ? hostMatches : hostsOverlap)(entry.pattern, host)),
    )
  );
}

function isWithin(entries: readonly EgressHost[], covers: (entry: EgressHost) => boolean): boolean {
  const covering = entries.filter(covers);
  return covering.length > 0 && !covering.some(({ isExcluded }) => isExcluded);
}

function inNamespace(entry: EgressHost, namespace: string): boolean {
  return entry.namespace === "*" || entry.namespace === namespace;
}

/** Returns the Sidecar that applies to a proxy. */
export function sidecarOf(world: World, proxy: SelectedProxy): MeshObject<"Sidecar"> | undefined {
  const own = world.list("Sidecar").filter((sidecar) => sidecar.metadata.namespace === proxy.namespace);
  const selected = own.find(
    (sidecar) => !isWide(sidecar) && labelsMatch(sidecar.spec.workloadSelector?.labels, proxy.labels),
  );
  return (
    selected ??
    own.find(isWide) ??
    world.list("Sidecar").find((sidecar) => sidecar.metadata.namespace === world.mesh.rootNamespace && isWide(sidecar))
  );
}

function isWide(sidecar: MeshObject<"Sidecar">): boolean {
  return selectsAll(sidecar.spec.workloadSelector?.labels);
}

/** `.` is the namespace of the proxy, also where the root namespace's default speaks for it. */
function egressHosts(sidecar: MeshObject<"Sidecar">, own: string): readonly EgressHost[] | undefined {
  if (sidecar.spec.egress === undefined || sidecar.spec.egress.length === 0) return undefined;
  return sidecar.spec.egress
    .flatMap((egress) => egress.hosts)
    .flatMap((text) => {
      const { namespace, host } = parseScopedHost(text);
      if (namespace === "~") return [];
      const isExcluded = namespace?.startsWith("~") === true;
      const named = isExcluded ? namespace?.slice(1) : namespace;
      const where = named === undefined ? "*" : named === "." ? own : named;
      return [{ namespace: where, pattern: resolveHost(host, where === "*" ? own : where), isExcluded }];
    });
}
