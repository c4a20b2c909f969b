// The upstreams of one service as clients of one namespace reach it: every port, whole and by subset.
import type { ClientTlsSpec, SubsetSpec } from "../../model/kinds/destination-rule.ts";
import { labelsMatch } from "../../model/labels.ts";
import { derived } from "../../world/derive.ts";
import type { World } from "../../world/world.ts";
import type { Discovery, Endpoint, Upstream, UpstreamId, UpstreamTls } from "../ir/upstream.ts";
import { destinationRuleFor, type MergedRule, portPolicy } from "./destination-rule.ts";
import type { MeshPort, MeshService } from "./mesh-service.ts";
import { visibleHost } from "./registry.ts";
import { resolveLimits, resolveLoadBalancer, resolveOutlier, resolveUpstreamProtocol } from "./traffic-policy.ts";

/**
 * Returns the upstreams of a host that clients in `client` see, for each port the whole and then its subsets in the
 * order of the rule; none for others.
 */
export const serviceUpstreams = derived((world: World, client: string, host: string): readonly Upstream[] => {
  const service = visibleHost(world, client, host);
  if (service === undefined) return [];
  const rule = destinationRuleFor(world, client, host, service.ref.namespace);
  return service.ports.flatMap((port) =>
    [undefined, ...(rule?.subsets ?? [])].map((subset) => upstream(world, service, port, rule, subset)),
  );
});

/** Returns one of them. */
export const serviceUpstream = derived(
  (world: World, client: string, host: string, port: number, subset: string): Upstream | undefined =>
    serviceUpstreams(world, client, host).find(({ id }) => id.port === port && id.subset === subset),
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

function upstream(
  world: World,
  service: MeshService,
  port: MeshPort,
  rule: MergedRule | undefined,
  subset: SubsetSpec | undefined,
): Upstream {
  const policy = portPolicy(rule, port.number, subset);
  const id: UpstreamId = { direction: "outbound", port: port.number, subset: subset?.name ?? "", host: service.host };
  const outlier = resolveOutlier(policy.outlierDetection);
  return {
    id,
    discovery: discoveryOf(service, port, subset),
    protocol: resolveUpstreamProtocol(port.protocol, policy.connectionPool?.http),
    service: service.ref,
    internal: service.internal,
    anySource: service.anySource,
    loadBalancer: resolveLoadBalancer(policy.loadBalancer),
    limits: resolveLimits(policy.connectionPool, world.mesh.connectTimeoutMs),
    ...(outlier && { outlier }),
    tls: tlsOf(world, service, id, policy.tls),
    ...(rule && { origin: rule.origin }),
  };
}

function discoveryOf(service: MeshService, port: MeshPort, subset: SubsetSpec | undefined): Discovery {
  if (service.discovery === "forward") return { kind: "forward" };
  const endpoints: readonly Endpoint[] = (service.backends.get(port.number) ?? [])
    .filter((backend) => labelsMatch(subset?.labels, backend.labels))
    .map((backend) => backend.endpoint);
  if (service.discovery === "dns" || service.discovery === "oneByDns")
    // Envoy takes one address of one name, so a subset without endpoints cannot say so.
    return { kind: "dns", endpoints, roundRobin: service.discovery === "oneByDns" && endpoints.length === 1 };
  return { kind: service.discovery, endpoints };
}

function tlsOf(world: World, service: MeshService, id: UpstreamId, spec: ClientTlsSpec | undefined): UpstreamTls {
  const sni = meshSni(id);
  if (spec === undefined)
    return world.mesh.enableAutoMtls && mayHaveSidecars(service)
      ? { mode: "auto", identities: service.identities, sni }
      : { mode: "none" };
  const mode = spec.mode ?? "DISABLE";
  if (mode === "DISABLE") return { mode: "none" };
  if (mode === "ISTIO_MUTUAL")
    return {
      mode: "mesh",
      identities: spec.subjectAltNames?.length ? spec.subjectAltNames : service.identities,
      sni: spec.sni ?? sni,
    };
  return {
    mode: "tls",
    sni: spec.sni ?? "",
    ...(spec.caCertificates !== undefined && { caFile: spec.caCertificates }),
    ...(mode === "MUTUAL" && spec.clientCertificate !== undefined && { clientCertificateFile: spec.clientCertificate }),
    ...(mode === "MUTUAL" && spec.privateKey !== undefined && { clientKeyFile: spec.privateKey }),
    subjectAltNames: spec.subjectAltNames ?? [],
    insecureSkipVerify: spec.insecureSkipVerify === true,
  };
}

/** Whether mesh mTLS is decided per address: addresses come and go without the upstream's being told anew. */
function mayHaveSidecars(service: MeshService): boolean {
  if (service.internal && service.discovery === "endpoints") return true;
  return [...service.backends.values()].some((backends) => backends.some((backend) => backend.endpoint.meshTls));
}

/** `outbound_.80_.v1_.reviews.default.svc.cluster.local`, as Istio's sidecars tell each other what they want. */
function meshSni(id: UpstreamId): string {
  return `outbound_.${id.port}_.${id.subset}_.${id.host}`;
}
