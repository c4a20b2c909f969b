// consumes: a World and who the client is (namespace, labels)
// produces: the client's route table `80` and every upstream it may reach
// never does: look at addresses of the client's own proxy: replicas of one workload share the answer
import { isDeepStrictEqual } from "node:util";
import type { Labels } from "../../model/labels.ts";
import { derived, sameItems } from "../../world/derive.ts";
import type { World } from "../../world/world.ts";
import type { RouteTable, VirtualHost } from "../ir/routes.ts";
import type { UnknownHosts } from "../ir/proxy.ts";
import type { Upstream, UpstreamId } from "../ir/upstream.ts";
import { type Client, ruledHost, serviceHosts } from "./client-hosts.ts";
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
import { eachDomainOnce } from "./host-domains.ts";
import { serviceUpstreams } from "./upstream.ts";

/**
 * Istio's name of the route table for port 80: the one an explicit proxy needs, since the port asked for is in the
 * request.
 */
export const OUTBOUND_TABLE = "80";

/** What one client may reach and how. */
export interface OutboundView {
  readonly table: RouteTable;
  readonly upstreams: readonly Upstream[];
  readonly unknownHosts: UnknownHosts;
}

/** All of a client's view that its listeners are made from. */
export interface OutboundTraits {
  /** Some host of it is decided by the router filter. */
  readonly needsRouter: boolean;
  readonly unknownHosts: UnknownHosts;
  readonly egressProxy?: UpstreamId | undefined;
}

/** What one host (or all hosts that are no service) adds to a client's view. */
interface HostRouting {
  readonly hosts: readonly VirtualHost[];
  /** Upstreams that its routes lead to. */
  readonly used: readonly Upstream[];
}

/**
 * Returns the view of clients with these labels in this namespace: the same object for all whose labels differ in
 * nothing that matters.
 */
export function resolveOutbound(world: World, namespace: string, labels: Labels): OutboundView {
  return outboundView(world, namespace, decisiveLabelsOf(world, labels));
}

/** Returns what does not change with every route of such clients. */
export function resolveOutboundTraits(world: World, namespace: string, labels: Labels, engine: Engine): OutboundTraits {
  return outboundTraits(world, namespace, decisiveLabelsOf(world, labels), engine);
}

const outboundTraits = derived(
  (world: World, namespace: string, labels: Labels, engine: Engine): OutboundTraits => {
    const { table, unknownHosts } = outboundView(world, namespace, labels);
    const hosts = withEngine(table, engine).virtualHosts;
    const egressProxy = egressProxyOf(world, namespace, labels)?.id;
    return { needsRouter: hosts.some(({ decidedBy }) => decidedBy === "filter"), unknownHosts, egressProxy };
  },
  { keyOf: (namespace, labels, engine) => `${byClient.keyOf(namespace, labels)} ${engine}`, same: isDeepStrictEqual },
);

const outboundView = derived((world: World, namespace: string, labels: Labels): OutboundView => {
  const { unknownHosts } = egressScope(world, namespace, labels);
  return {
    table: routeTable(world, namespace, labels),
    upstreams: reachableUpstreams(world, namespace, labels),
    unknownHosts,
  };
}, byClient);

const routeTable = derived(
  (world: World, namespace: string, labels: Labels): RouteTable => ({
    name: OUTBOUND_TABLE,
    virtualHosts: allHosts(world, namespace, labels),
    ignorePort: false,
  }),
  byClient,
);

const allHosts = derived(
  (world: World, namespace: string, labels: Labels): readonly VirtualHost[] => {
    const ofServices = serviceNames(world, namespace, labels).flatMap((host) =>
      hostsOfService(world, namespace, labels, host),
    );
    return eachDomainOnce([...ofServices, ...otherHosts(world, namespace, labels)]);
  },
  { ...byClient, same: sameItems },
);

const reachableUpstreams = derived(
  (world: World, namespace: string, labels: Labels): readonly Upstream[] => {
    const names = serviceNames(world, namespace, labels);
    const upstreams = new Set(names.flatMap((host) => serviceUpstreams(world, namespace, labels, host)));
    for (const host of names)
      for (const upstream of upstreamsUsedFor(world, namespace, labels, host)) upstreams.add(upstream);
    for (const upstream of otherRouting(world, namespace, labels).used) upstreams.add(upstream);
    const egressProxy = egressProxyOf(world, namespace, labels);
    if (egressProxy !== undefined) upstreams.add(egressProxy);
    return [...upstreams];
  },
  { ...byClient, same: sameItems },
);

const serviceRouting = derived((world: World, namespace: string, labels: Labels, host: string): HostRouting => {
  const service = serviceInScope(world, namespace, labels, host)?.service;
  const client: Client = { world, namespace, labels, destinations: createDestinations(world, namespace, labels) };
  const hosts = service === undefined ? [] : serviceHosts(client, service);
  return { hosts, used: [...client.destinations.used] };
}, byHost);

const hostsOfService = derived(
  (world: World, namespace: string, labels: Labels, host: string): readonly VirtualHost[] =>
    serviceRouting(world, namespace, labels, host).hosts,
  { ...byHost, same: isDeepStrictEqual },
);

const upstreamsUsedFor = derived(
  (world: World, namespace: string, labels: Labels, host: string): readonly Upstream[] =>
    serviceRouting(world, namespace, labels, host).used,
  { ...byHost, same: sameItems },
);

/** Hosts of rules that are no service get the rule's routes for requests to port 80; on others they are unknown. */
const otherRouting = derived((world: World, namespace: string, labels: Labels): HostRouting => {
  const client: Client = { world, namespace, labels, destinations: createDestinations(world, namespace, labels) };
  const hosts = ruledNames(world, namespace, labels).flatMap((host) => ruledHost(client, host));
  return { hosts, used: [...client.destinations.used] };
}, byClient);

const otherHosts = derived(
  (world: World, namespace: string, labels: Labels): readonly VirtualHost[] =>
    otherRouting(world, namespace, labels).hosts,
  { ...byClient, same: isDeepStrictEqual },
);
