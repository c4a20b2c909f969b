// consumes: a World and who the client is (namespace, labels)
// produces: where the client's captured connections go: ports, route tables, and every upstream it may reach
// never does: look at addresses of the client's own proxy: replicas of one workload share the answer
import { isDeepStrictEqual } from "node:util";
import type { Labels } from "../../model/labels.ts";
import { derived, sameFields, sameItems } from "../../world/derive.ts";
import type { World } from "../../world/world.ts";
import type { CapturedPort, NamedAddresses } from "../ir/captured.ts";
import type { UnknownHosts } from "../ir/proxy.ts";
import type { RouteTable, VirtualHost } from "../ir/routes.ts";
import { type Upstream, type UpstreamId, upstreamText } from "../ir/upstream.ts";
import { capturedHost, capturedRuledHost, sniffedHost } from "./captured-hosts.ts";
import {
  type AddressedService,
  boundPort,
  capturedPorts,
  isFoundByHost,
  tableOfPort,
  tableOfService,
} from "./captured-ports.ts";
import { type MergedPorts, mergePorts, type PortsOfHost } from "./captured-places.ts";
import { capturedUpstream } from "./captured-upstream.ts";
import type { Client } from "./client-hosts.ts";
import {
  byClient,
  byHost,
  decisiveLabelsOf,
  egressProxyOf,
  egressScope,
  ruledNames,
  serviceInScope,
  serviceNames,
} from "./client-scope.ts";
import { createDestinations } from "./destination.ts";
import { type Engine, withEngine } from "./engine.ts";
import { DEFAULT_PORT, eachDomainOnce } from "./host-domains.ts";
import { addressesOf } from "./host-address.ts";
import { hostNames } from "./host-names.ts";
import { isHttp } from "./protocol.ts";
import { resolveRegistry } from "./registry.ts";
import { serviceUpstreams } from "./upstream.ts";

/** What one client reaches and how. */
export interface CapturedView {
  readonly tables: readonly RouteTable[];
  readonly upstreams: readonly Upstream[];
}

/** All of it that its listeners are made from. */
export interface CapturedTraits {
  readonly ports: readonly CapturedPort[];
  /** What cannot be as it was asked for, one sentence each, sorted. */
  readonly notes: readonly string[];
  readonly names: readonly NamedAddresses[];
  /** Some host of it is decided by the router filter. */
  readonly needsRouter: boolean;
  readonly unknownHosts: UnknownHosts;
  readonly egressProxy?: UpstreamId | undefined;
}

/** What one host adds. */
interface HostCapture extends PortsOfHost {
  readonly hosts: readonly { readonly table: string; readonly host: VirtualHost }[];
  /** Upstreams that its routes and ways lead to. */
  readonly used: readonly Upstream[];
}

const NOTHING: HostCapture = { host: "", isHeadless: false, hosts: [], ports: [], used: [] };

/** Returns the view of clients with these labels in this namespace; the same object for the same decisive labels. */
export function resolveCaptured(world: World, namespace: string, labels: Labels): CapturedView {
  return capturedView(world, namespace, decisiveLabelsOf(world, labels));
}

/** Returns what does not change with every route of such clients. */
export function resolveCapturedTraits(world: World, namespace: string, labels: Labels, engine: Engine): CapturedTraits {
  return capturedTraits(world, namespace, decisiveLabelsOf(world, labels), engine);
}

const capturedTraits = derived(
  (world: World, namespace: string, labels: Labels, engine: Engine): CapturedTraits => ({
    ...portsWithNotes(world, namespace, labels),
    names: hostNames(world, namespace, labels),
    needsRouter: capturedView(world, namespace, labels).tables.some((table) =>
      withEngine(table, engine).virtualHosts.some(({ decidedBy }) => decidedBy === "filter"),
    ),
    // Where a connection was going is known: nobody needs to look its host up (ALLOW_ANY_DYNAMIC_DNS).
    unknownHosts: egressScope(world, namespace, labels).unknownHosts,
    egressProxy: egressProxyOf(world, namespace, labels)?.id,
  }),
  {
    keyOf: (namespace, labels, engine) => `${byClient.keyOf(namespace, labels)} ${engine}`,
    same: sameFields,
  },
);

const capturedView = derived(
  (world: World, namespace: string, labels: Labels): CapturedView => ({
    tables: allTables(world, namespace, labels),
    upstreams: reachableUpstreams(world, namespace, labels),
  }),
  { ...byClient, same: sameFields },
);

const allTables = derived(
  (world: World, namespace: string, labels: Labels): readonly RouteTable[] => {
    const hosts = hostsByTable(world, namespace, labels);
    return [...hosts.keys()].sort().map((name) => oneTable(world, namespace, labels, name));
  },
  { ...byClient, same: sameItems },
);

/** While its hosts are the same, so is the table. */
const oneTable = derived(
  (world: World, namespace: string, labels: Labels, name: string): RouteTable => {
    const virtualHosts = hostsByTable(world, namespace, labels).get(name) ?? [];
    const isOneService = name.includes(":");
    return {
      name,
      virtualHosts: isOneService ? virtualHosts.slice(0, 1) : eachDomainOnce(virtualHosts),
      ignorePort: true,
      ...(isOneService && { isOneService }),
    };
  },
  { ...byHost, same: (a, b) => sameItems(a.virtualHosts, b.virtualHosts) },
);

const hostsByTable = derived(
  (world: World, namespace: string, labels: Labels): ReadonlyMap<string, readonly VirtualHost[]> => {
    const byTable = new Map<string, VirtualHost[]>();
    for (const { table, host } of allCaptures(world, namespace, labels).flatMap(({ hosts }) => hosts)) {
      const same = byTable.get(table);
      if (same === undefined) byTable.set(table, [host]);
      else same.push(host);
    }
    return byTable;
  },
  byClient,
);

/** To look for HTTP elsewhere all connections would have to wait for what their clients say. */
function portsWithNotes(world: World, namespace: string, labels: Labels): MergedPorts {
  const { ports, notes } = allPorts(world, namespace, labels);
  const { unknownHosts } = egressScope(world, namespace, labels);
  return { ports, notes: unknownHosts === "forwardByDns" ? [...notes, ONLY_KNOWN_PORTS] : notes };
}

const ONLY_KNOWN_PORTS =
  "ALLOW_ANY_DYNAMIC_DNS: hosts are looked up on ports that some service has for HTTP; connections to others go where they were going";

const allPorts = derived(
  (world: World, namespace: string, labels: Labels): MergedPorts => mergePorts(allCaptures(world, namespace, labels)),
  { ...byClient, same: (a, b) => sameItems(a.ports, b.ports) && sameItems(a.notes, b.notes) },
);

/** In the order of the registry: of what contradicts itself the first is taken. */
const allCaptures = derived(
  (world: World, namespace: string, labels: Labels): readonly HostCapture[] => {
    const names = new Set(serviceNames(world, namespace, labels));
    const byAge = new Set(resolveRegistry(world).map(({ host }) => host));
    const ordered = [...byAge].filter((host) => names.has(host));
    return [
      ...ordered.map((host) => captureOfHost(world, namespace, labels, host)),
      captureOfOthers(world, namespace, labels),
    ];
  },
  { ...byClient, same: sameItems },
);

const captureOfHost = derived(
  (world: World, namespace: string, labels: Labels, host: string): HostCapture => {
    const inScope = serviceInScope(world, namespace, labels, host);
    const client: Client = { world, namespace, labels, destinations: createDestinations(world, namespace, labels) };
    if (inScope === undefined) return NOTHING;
    const service: AddressedService = { ...inScope.service, told: addressesOf(world, inScope.service) };
    const hosts = service.ports
      .filter(({ protocol }) => isHttp(protocol))
      .map((port) =>
        isFoundByHost(service, port)
          ? { table: tableOfPort(port.number), host: capturedHost(client, service, port) }
          : { table: tableOfService(host, port.number), host: sniffedHost(client, service, port) },
      );
    const ports = [
      ...inScope.ownPorts.flatMap((port) => capturedPorts(client, service, port)),
      ...inScope.bound.map(({ port, ...place }) => boundPort(client, service, port, place)),
    ];
    return { host, isHeadless: service.isHeadless, hosts, ports, used: [...client.destinations.used] };
  },
  { ...byHost, same: isDeepStrictEqual },
);

/** Hosts of rules that are no service get the rule's routes for requests to port 80. */
const captureOfOthers = derived(
  (world: World, namespace: string, labels: Labels): HostCapture => {
    const client: Client = { world, namespace, labels, destinations: createDestinations(world, namespace, labels) };
    const table = tableOfPort(DEFAULT_PORT);
    const hosts = ruledNames(world, namespace, labels).flatMap((host) =>
      capturedRuledHost(client, host).map((one) => ({ table, host: one })),
    );
    return {
      ...NOTHING,
      hosts,
      ports: hosts.length === 0 ? [] : [{ addresses: [], port: DEFAULT_PORT, routeTable: table, ways: [] }],
      used: [...client.destinations.used],
    };
  },
  { ...byClient, same: isDeepStrictEqual },
);

const reachableUpstreams = derived(
  (world: World, namespace: string, labels: Labels): readonly Upstream[] => {
    const names = serviceNames(world, namespace, labels);
    const upstreams = [
      ...names.flatMap((host) => serviceUpstreams(world, namespace, labels, host)),
      ...allCaptures(world, namespace, labels).flatMap(({ used }) => used),
      ...[egressProxyOf(world, namespace, labels)].filter((upstream) => upstream !== undefined),
    ];
    // Of equal ones an answer may hold an older object.
    const byName = new Map<string, Upstream>();
    for (const upstream of upstreams) {
      const name = upstreamText(upstream.id);
      if (!byName.has(name)) byName.set(name, capturedUpstream(world, namespace, upstream));
    }
    return [...byName.values()];
  },
  { ...byClient, same: sameItems },
);
