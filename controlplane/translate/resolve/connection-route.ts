// What routes of connections (a VirtualService's tcp and tls) have in common: for whom they are, and where they lead.
import type { ConnectionMatchSpec, RouteDestinationSpec } from "../../model/kinds/virtual-service.ts";
import { labelsMatch } from "../../model/labels.ts";
import type { ConnectionPolicy } from "../ir/captured.ts";
import type { Upstream } from "../ir/upstream.ts";
import type { DestinationResolver } from "./destination.ts";
import { qualifyGateway, type RouteContext } from "./request-match.ts";

/** Where connections of one kind go. */
export interface ConnectionRoute {
  /** CIDR blocks of the destination; empty: any. */
  readonly subnets: readonly string[];
  /** Names that TLS asks for; empty: whatever is spoken. */
  readonly serverNames: readonly string[];
  /** One target, or several with weights. */
  readonly targets: readonly ConnectionTarget[];
}

export interface ConnectionTarget {
  readonly upstream: Upstream;
  readonly weight: number;
}

/**
 * Returns whether a match is for this client or gateway. At gateways, whose clients are not known, only ports and
 * gateways count, as in Istio. `owner` is the VirtualService's namespace.
 */
export function appliesToConnections(match: ConnectionMatchSpec, context: RouteContext, owner: string): boolean {
  if (match.port !== undefined && match.port !== context.port) return false;
  const { gateways = [] } = match;
  if (gateways.length > 0 && !gateways.some((name) => qualifyGateway(name, owner) === context.gateway)) return false;
  if (context.gateway !== "mesh") return true;
  return (
    labelsMatch(match.sourceLabels, context.labels) &&
    (match.sourceNamespace === undefined || match.sourceNamespace === context.namespace)
  );
}

/** Returns the destination's addresses that a match asks for: at gateways the address is the gateway's own. */
export function subnetsOf(match: ConnectionMatchSpec, { gateway }: RouteContext): readonly string[] {
  return gateway === "mesh" ? (match.destinationSubnets ?? []) : [];
}

/** Returns where a route leads: the weight of an only destination does not count, and one without weight is none. */
export function connectionTargets(
  route: readonly RouteDestinationSpec[],
  owner: string,
  port: number,
  destinations: DestinationResolver,
): readonly ConnectionTarget[] {
  const weighted = route.length === 1 ? route : route.filter(({ weight = 0 }) => weight > 0);
  return weighted.map(({ destination, weight }) => ({
    upstream: destinations.find(destination, owner, port),
    weight: route.length === 1 ? 1 : (weight ?? 0),
  }));
}

/**
 * Returns whether the peer takes what comes over the upstream's connections for HTTP, unless it is told otherwise: its
 * port may carry HTTP, and mesh mutual TLS says so.
 */
export function isKnownForHttp({ protocol, tls }: Upstream): boolean {
  return protocol !== "tcp" && (tls.mode === "auto" || tls.mode === "mesh");
}

/** Returns what holds for connections to these targets: what the rule for the first of them says, as in Istio. */
export function connectionPolicyOf([first]: readonly ConnectionTarget[]): ConnectionPolicy {
  if (first === undefined) return { isByClient: false };
  const { limits, loadBalancer } = first.upstream;
  return {
    ...(limits.tcpIdleTimeoutMs !== undefined && { idleTimeoutMs: limits.tcpIdleTimeoutMs }),
    ...(limits.maxConnectionDurationMs !== undefined && { maxDurationMs: limits.maxConnectionDurationMs }),
    isByClient: loadBalancer.kind === "consistentHash" && loadBalancer.key.kind === "sourceIp",
  };
}
