// The upstreams of one service as clients of one namespace reach it: every port, whole and by subset.
import type { SubsetSpec } from "../../model/kinds/destination-rule.ts";
import { type Labels, labelsMatch } from "../../model/labels.ts";
import { compareText } from "../../model/object.ts";
import { derived, sameItems } from "../../world/derive.ts";
import { labelsKey } from "../../world/labels-key.ts";
import type { World } from "../../world/world.ts";
import { type Discovery, type Upstream, type UpstreamId, upstreamText } from "../ir/upstream.ts";
import { labelsAmong, labelsInRule, labelsInRules } from "./client-labels.ts";
import { destinationRuleFor, type MergedRule, portPolicy, rulesOfHost } from "./destination-rule.ts";
import { type LocalityPolicy, placeEndpoints, resolveLocalityPolicy, spreadOf } from "./locality.ts";
import type { MeshPort, MeshService } from "./mesh-service.ts";
import { visibleHost } from "./registry.ts";
import { resolveLimits, resolveLoadBalancer, resolveOutlier, resolveUpstreamProtocol } from "./traffic-policy.ts";
import { lacksCredential, resolveUpstreamTls } from "./upstream-tls.ts";

/**
 * Returns the upstreams of a host that clients with these labels in `client` see, for each port the whole and then its
 * subsets in the order of the rule; none for others. The same for all clients whose labels differ in nothing that
 * matters to this host.
 */
export function serviceUpstreams(world: World, client: string, labels: Labels, host: string): readonly Upstream[] {
  return upstreamsFor(world, client, labelsAsHostSees(world, client, labels, host), host);
}

/** Returns one of them. */
export function serviceUpstream(world: World, client: string, labels: Labels, id: UpstreamId): Upstream | undefined {
  return upstreamFor(world, client, labelsAsHostSees(world, client, labels, id.host), id);
}

const upstreamsFor = derived(
  (world: World, client: string, labels: Labels, host: string): readonly Upstream[] => {
    const service = visibleHost(world, client, host);
    if (service === undefined) return [];
    const rule = destinationRuleFor(world, client, labels, host, service.ref.namespace);
    const asked: Asking = { world, client, labels, service, rule };
    return service.ports.flatMap((port) =>
      [undefined, ...(rule?.subsets ?? [])].map((subset) => upstream(asked, port, subset)),
    );
  },
  { keyOf: (client, labels, host) => `${client} ${labelsKey(labels)} ${host}` },
);

const upstreamFor = derived(
  (world: World, client: string, labels: Labels, { host, port, subset }: UpstreamId): Upstream | undefined =>
    upstreamsFor(world, client, labels, host).find(({ id }) => id.port === port && id.subset === subset),
  { keyOf: (client, labels, id) => `${client} ${labelsKey(labels)} ${upstreamText(id)}` },
);

/** Where no rule of the mesh asks for any of the labels, no rule of the host does: then that need not be remembered. */
function labelsAsHostSees(world: World, client: string, labels: Labels, host: string): Labels {
  const asked = labelsAmong(labelsInRules(world), labels);
  return Object.keys(asked).length === 0 ? asked : labelsAmong(labelsForHost(world, client, host), asked);
}

/** The labels of clients by which a host is reached in another way: what its rules select by, and where clients run. */
const labelsForHost = derived(
  (world: World, client: string, host: string): readonly string[] => {
    const service = visibleHost(world, client, host);
    const rules = service === undefined ? [] : rulesOfHost(world, client, host, service.ref.namespace);
    const names = rules.flatMap((group) => group.rules.flatMap((rule) => labelsInRule(world.mesh, rule)));
    return [...new Set(names)].sort(compareText);
  },
  { same: sameItems },
);

/** Returns an upstream that has no address and answers 503: for destinations that nobody declared. */
export const missingUpstream = derived(
  (world: World, id: UpstreamId): Upstream => ({
    id,
    discovery: { kind: "none" },
    protocol: "http1",
    internal: false,
    anySource: false,
    loadBalancer: { kind: "leastRequest" },
    limits: { connectTimeoutMs: world.mesh.connectTimeoutMs },
    tls: { mode: "none" },
  }),
  { keyOf: (id) => JSON.stringify(id) },
);

/** Who asks for which service, and the rule that speaks for it. */
interface Asking {
  readonly world: World;
  readonly client: string;
  readonly labels: Labels;
  readonly service: MeshService;
  readonly rule: MergedRule | undefined;
}

function upstream(asked: Asking, port: MeshPort, subset: SubsetSpec | undefined): Upstream {
  const { world, service, rule } = asked;
  const policy = portPolicy(rule, port.number, subset);
  const localities = resolveLocalityPolicy(world.mesh, policy);
  // A Secret that is named and is not there must not turn into a connection that shows or checks nothing; and whoever
  // waited for it would wait before everything else.
  const isClosed = lacksCredential(world, asked.client, policy.tls);
  const id: UpstreamId = { direction: "outbound", port: port.number, subset: subset?.name ?? "", host: service.host };
  const outlier = resolveOutlier(policy.outlierDetection);
  return {
    id,
    discovery: isClosed ? { kind: "none" } : discoveryOf(asked, port, subset, localities),
    protocol: resolveUpstreamProtocol(port.protocol, policy.connectionPool?.http),
    service: service.ref,
    internal: service.internal,
    anySource: service.anySource,
    loadBalancer: resolveLoadBalancer(policy.loadBalancer),
    ...spreadOf(localities),
    limits: resolveLimits(policy, world.mesh.connectTimeoutMs),
    ...(outlier && { outlier }),
    tls: isClosed ? { mode: "none" } : resolveUpstreamTls(world, service, id, policy.tls),
    ...(policy.proxyProtocol && { proxyProtocol: policy.proxyProtocol.version ?? "V1" }),
    ...(rule && { origin: rule.origin }),
  };
}

function discoveryOf(
  { service, labels }: Asking,
  port: MeshPort,
  subset: SubsetSpec | undefined,
  localities: LocalityPolicy,
): Discovery {
  if (service.discovery === "forward") return { kind: "forward" };
  if (service.discovery === "byRequest") return { kind: "forward", always: true };
  const backends = (service.backends.get(port.number) ?? []).filter((backend) =>
    labelsMatch(subset?.labels, backend.labels),
  );
  const placed = placeEndpoints(backends, localities, labels);
  if (service.discovery === "dns" || service.discovery === "oneByDns")
    // Envoy takes one address of one name, so a subset without endpoints cannot say so.
    return { kind: "dns", ...placed, roundRobin: service.discovery === "oneByDns" && placed.endpoints.length === 1 };
  return { kind: service.discovery, ...placed };
}
