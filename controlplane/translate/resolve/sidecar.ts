// Which part of the mesh a sidecar is told about, and what it does with hosts nobody declared: the Sidecar resource.
import { isIP } from "node:net";
import { hostsOverlap, hostMatches, parseScopedHost, resolveHost } from "../../model/hosts.ts";
import type { DestinationSpec } from "../../model/kinds/virtual-service.ts";
import { labelsMatch, selectsAll } from "../../model/labels.ts";
import type { MeshObject } from "../../model/object.ts";
import type { MeshConfig, World } from "../../world/world.ts";
import type { UnknownHosts } from "../ir/proxy.ts";
import type { MeshPort, MeshService } from "./mesh-service.ts";
import { isHttp } from "./protocol.ts";
import type { SelectedProxy } from "./workload-selector.ts";

/** One `namespace/host` of an egress list. */
interface EgressHost {
  /** `*` for any. */
  readonly namespace: string;
  readonly pattern: string;
  /** Taken out of what others let in. */
  readonly isExcluded: boolean;
}

/** One entry of an egress list. */
export interface EgressListener {
  /** The only port at which its hosts are asked for; undefined: all that no other entry names. */
  readonly port?: number | undefined;
  readonly hosts: readonly EgressHost[];
  /** The only address at which they are found; undefined: their own. */
  readonly bind?: string | undefined;
  /** Programs connect to the proxy there, and nothing is captured (captureMode NONE). */
  readonly isOpened: boolean;
}

/** A sidecar's view. Equal keys mean equal views. */
export interface EgressScope {
  /** Undefined: everything that is exported to the namespace. */
  readonly listeners: readonly EgressListener[] | undefined;
  readonly unknownHosts: UnknownHosts;
  /** Where what is for unknown hosts goes instead. */
  readonly egressProxy?: { readonly destination: DestinationSpec; readonly owner: string } | undefined;
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
  const destination = sidecar?.spec.outboundTrafficPolicy?.egressProxy;
  return {
    listeners: sidecar && egressListeners(sidecar, proxy.namespace),
    unknownHosts: UNKNOWN_HOSTS[mode],
    ...(destination && { egressProxy: { destination, owner: sidecar?.metadata.namespace ?? "" } }),
  };
}

/** An explicit proxy looks hosts up by DNS in both ways: it has nothing else to go by. */
const UNKNOWN_HOSTS: Readonly<Record<MeshConfig["outboundTrafficPolicy"], UnknownHosts>> = {
  ALLOW_ANY: "forward",
  ALLOW_ANY_DYNAMIC_DNS: "forwardByDns",
  REGISTRY_ONLY: "refuse",
};

/** Returns the listeners by which clients come to a port of a service; undefined: its own, as without a Sidecar. */
export function listenersOfPort(
  { listeners }: EgressScope,
  { host, ref }: Pick<MeshService, "host" | "ref">,
  port: MeshPort,
): readonly EgressListener[] | undefined {
  const covering = listeners?.filter(({ hosts }) =>
    isWithin(hosts, (entry) => inNamespace(entry, ref.namespace) && hostMatches(entry.pattern, host)),
  );
  // Requests are told apart by port alone: who names one says all that is asked for there.
  const isNamed = isHttp(port.protocol) && listeners?.some((listener) => listener.port === port.number);
  return covering?.filter((listener) =>
    listener.port === undefined ? isNamed !== true : listener.port === port.number,
  );
}

/** Returns whether a VirtualService of a namespace is within the scope: one of its hosts must be. */
export function scopeHasVirtualService(scope: EgressScope, namespace: string, hosts: readonly string[]): boolean {
  const covers = (entry: EgressHost): boolean =>
    inNamespace(entry, namespace) &&
    hosts.some((host) => (entry.isExcluded ? hostMatches : hostsOverlap)(entry.pattern, host));
  return scope.listeners === undefined || scope.listeners.some((listener) => isWithin(listener.hosts, covers));
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
function egressHosts(hosts: readonly string[], own: string): readonly EgressHost[] {
  return hosts.flatMap((text) => {
    const { namespace, host } = parseScopedHost(text);
    if (namespace === "~") return [];
    const isExcluded = namespace?.startsWith("~") === true;
    const named = isExcluded ? namespace?.slice(1) : namespace;
    const where = named === undefined ? "*" : named === "." ? own : named;
    return [{ namespace: where, pattern: resolveHost(host, where === "*" ? own : where), isExcluded }];
  });
}

function egressListeners({ spec }: MeshObject<"Sidecar">, own: string): readonly EgressListener[] | undefined {
  if (spec.egress === undefined || spec.egress.length === 0) return undefined;
  return spec.egress.map(({ port, bind, captureMode, hosts }) => {
    const isOpened = captureMode === "NONE";
    const at = bind !== undefined && isIP(bind) !== 0 ? bind : isOpened ? "127.0.0.1" : undefined;
    return {
      // Of 0 it is a socket's, which has no port of its own.
      port: port?.number || undefined,
      hosts: egressHosts(hosts, own),
      ...(at !== undefined && { bind: at }),
      isOpened,
    };
  });
}
