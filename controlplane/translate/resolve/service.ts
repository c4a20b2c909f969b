// Kubernetes Services as hosts of the mesh, with the endpoints that Kubernetes' own controllers would find for them.
import { workloadsWith } from "../../pods/templated-workloads.ts";
import { serviceHost } from "../../model/hosts.ts";
import { selectsAll } from "../../model/labels.ts";
import { compareText, type MeshObject } from "../../model/object.ts";
import type { ServicePortSpec, ServiceSpec } from "../../model/kinds/service.ts";
import type { SpiffeId } from "../../model/spiffe.ts";
import { derived } from "../../world/derive.ts";
import type { World } from "../../world/world.ts";
import { labelIndex } from "../../world/label-index.ts";
import { isReachable, podAt, podBackend, podsWith, portOfPod, sortBackends, takesTraffic } from "./pod-endpoints.ts";
import { protocolOfServicePort } from "./protocol.ts";
import type { Backend, MeshPort, MeshService } from "./mesh-service.ts";
import { serviceExportTo } from "./visibility.ts";
import { type PodFacts, podFactsOf, serviceAccountOf } from "../../pods/pod-facts.ts";
import { accountIdentities } from "./trust-domains.ts";
import { hasAddress, type OtherWorkload, selectedEntries, workloadBackends } from "./workload-endpoints.ts";

/** Returns the hosts of all Services, oldest first. UDP ports are left out. */
export function kubernetesServices(world: World): readonly MeshService[] {
  return world.list("Service").flatMap(({ metadata: { namespace, name }, spec }) => {
    const resolve = spec.type === "ExternalName" ? aliasOf : declaredService;
    return resolve(world, namespace, name) ?? [];
  });
}

/**
 * An ExternalName that names a service of the mesh, by further names or not, is that service under one more name; any
 * other is a name outside.
 */
const aliasOf = derived((world: World, namespace: string, name: string): MeshService | undefined => {
  const service = declaredService(world, namespace, name);
  if (service?.discovery !== "dns") return service;
  const named = namedByAlias(world, { namespace, name });
  const target = named === "itself" ? undefined : named && declaredService(world, named.namespace, named.name);
  if (target === undefined || target.discovery !== "endpoints") return service;
  return { ...target, host: service.host, addresses: [], exportTo: service.exportTo };
});

type ServiceName = Pick<MeshObject["metadata"], "namespace" | "name">;

/**
 * Returns the last Service that an ExternalName leads to, by other ExternalNames or not; "itself" where they go round;
 * undefined: it leads to none.
 */
export function namedByAlias(world: World, start: ServiceName): ServiceName | "itself" | undefined {
  const passed = new Set<string>();
  let last: ServiceName | undefined;
  for (let at: ServiceName | undefined = start; at !== undefined; ) {
    const host = serviceHost(at.name, at.namespace);
    if (passed.has(host)) return "itself";
    passed.add(host);
    const spec: ServiceSpec | undefined = world.get("Service", at.namespace, at.name)?.spec;
    if (spec?.type !== "ExternalName") break;
    last = servicesByHost(world).get((spec.externalName ?? "").toLowerCase().replace(/\.$/, ""));
    at = last;
  }
  return last;
}

const servicesByHost = derived(
  (world: World) =>
    new Map(world.list("Service").map(({ metadata }) => [serviceHost(metadata.name, metadata.namespace), metadata])),
);

const declaredService = derived((world: World, namespace: string, name: string): MeshService | undefined => {
  const service = world.get("Service", namespace, name);
  return service && meshService(world, service);
});

function meshService(world: World, service: MeshObject<"Service">): MeshService {
  const { name, namespace } = service.metadata;
  const { spec } = service;
  const host = serviceHost(name, namespace);
  const external = spec.type === "ExternalName" && spec.externalName ? spec.externalName : undefined;
  const declared = spec.ports ?? [];
  const ports = (external !== undefined && declared.length === 0 ? portsOfName : declared).filter(
    (port) => (port.protocol ?? "TCP").toUpperCase() === "TCP",
  );
  const clusterIp = spec.clusterIP ?? "";
  return {
    host,
    ref: { host, name, namespace },
    declaredBy: "Service",
    ports: ports.map(meshPort),
    addresses: clusterIp === "" || isNone(clusterIp) ? [] : [clusterIp],
    subnets: [],
    isHeadless: isNone(clusterIp),
    exportTo: serviceExportTo(service),
    internal: external === undefined,
    // Addresses that were given by somebody may be anywhere.
    anySource: selectsAll(spec.selector) || selectedWorkloads(world, service).length > 0,
    discovery: external === undefined ? "endpoints" : "dns",
    identities: identitiesOf(world, service),
    backends: new Map(
      ports.map((port) => [
        port.port,
        external === undefined ? backendsOf(world, service, port) : [externalBackend(external, port.port)],
      ]),
    ),
  };
}

function isNone(clusterIp: string): boolean {
  return clusterIp.toLowerCase() === "none";
}

/** A name alone says nothing of ports (Kubernetes wants none of it): the web's are served. */
const portsOfName: readonly ServicePortSpec[] = [
  { name: "http", port: 80 },
  { name: "https", port: 443 },
];

function meshPort(port: ServicePortSpec): MeshPort {
  return {
    number: port.port,
    name: port.name ?? "",
    protocol: protocolOfServicePort(port.port, port.name, port.appProtocol),
  };
}

function externalBackend(host: string, port: number): Backend {
  return { labels: {}, endpoint: { address: host, port, weight: 1, meshTls: false, healthy: true } };
}

function selectedPods(world: World, service: MeshObject<"Service">): readonly MeshObject<"Pod">[] {
  const { selector } = service.spec;
  if (selectsAll(selector)) return [];
  return podsWith(world, service.metadata.namespace, selector ?? {});
}

function backendsOf(world: World, service: MeshObject<"Service">, port: ServicePortSpec): readonly Backend[] {
  const fromPods = selectedPods(world, service).flatMap((pod) => {
    const facts = podFactsOf(pod);
    const target = targetOf(facts, port);
    const isThere = takesTraffic(facts) || (service.spec.publishNotReadyAddresses === true && isReachable(facts));
    return target !== undefined && isThere ? [podBackend(world, facts, target)] : [];
  });
  const fromEntries = selectedWorkloads(world, service).flatMap((workload) => {
    const target = portOfWorkload(workload, port);
    return target === undefined ? [] : workloadBackends(workload, target);
  });
  return sortBackends([...fromPods, ...fromEntries, ...sliceBackends(world, service, port)]);
}

/** A Service leads to addresses: to no name and no socket. */
function selectedWorkloads(world: World, { metadata, spec }: MeshObject<"Service">): readonly OtherWorkload[] {
  if (selectsAll(spec.selector)) return [];
  return selectedEntries(world, metadata.namespace, spec.selector ?? {}).filter(hasAddress);
}

/** A WorkloadEntry's ports go by the names of target ports, and where those are numbers, of the ports themselves. */
function portOfWorkload({ ports = {} }: OtherWorkload, { name, port, targetPort }: ServicePortSpec) {
  if (typeof targetPort === "string" && !/^\d+$/.test(targetPort)) return ports[targetPort];
  return (name === undefined ? undefined : ports[name]) ?? Number(targetPort ?? port);
}

/**
 * A gateway listens by its Gateways' port numbers, which Istio takes for those of the gateway's Service: the target
 * port
 * is where that port is, unless a Gateway has just that number.
 */
function targetOf(pod: PodFacts, { targetPort, port }: ServicePortSpec): number | undefined {
  const target = portOfPod(pod, targetPort ?? port);
  if (pod.proxy !== "router" || pod.listens.some((listen) => listen.port === target)) return target;
  return pod.listens.some((listen) => listen.port === port) ? port : target;
}

const slicesWith = labelIndex("EndpointSlice", ({ metadata }) => metadata.labels);

/** Returns the slices with addresses of a Service. */
export function slicesOf(world: World, { metadata }: MeshObject<"Service">): readonly MeshObject<"EndpointSlice">[] {
  return slicesWith(world, metadata.namespace, { "kubernetes.io/service-name": metadata.name });
}

function sliceBackends(world: World, service: MeshObject<"Service">, port: ServicePortSpec): readonly Backend[] {
  return slicesOf(world, service).flatMap((slice) => {
    const target = slicePort(slice, service.spec, port);
    if (target === undefined) return [];
    return (slice.spec.endpoints ?? []).flatMap((endpoint) => {
      if (endpoint.conditions?.ready === false || endpoint.conditions?.terminating === true) return [];
      return endpoint.addresses.map((address) => addressBackend(world, service.metadata.namespace, address, target));
    });
  });
}

/** Ports of a slice go by name, as its Service's; one port on each side belongs together whatever its name. */
function slicePort(
  slice: MeshObject<"EndpointSlice">,
  service: ServiceSpec,
  port: ServicePortSpec,
): number | undefined {
  const ports = slice.spec.ports ?? [];
  const named = ports.find((candidate) => (candidate.name ?? "") === (port.name ?? ""));
  const only = ports.length === 1 && service.ports?.length === 1 ? ports[0] : undefined;
  return (named ?? only)?.port;
}

/** An address of a slice: of a pod we know, or of something outside the mesh. */
function addressBackend(world: World, namespace: string, address: string, port: number): Backend {
  const pod = podAt(world, namespace, address);
  if (pod !== undefined) return podBackend(world, podFactsOf(pod), port);
  return { labels: {}, endpoint: { address, port, weight: 1, meshTls: false, healthy: true } };
}

/**
 * Who may answer for a service. Deployments count beside pods, and pods that are not ready: a rollout that brings pods
 * up or down must not change how the service is reached.
 */
function identitiesOf(world: World, service: MeshObject<"Service">): readonly SpiffeId[] {
  const { selector } = service.spec;
  if (selectsAll(selector)) return [];
  const { namespace } = service.metadata;
  const accounts = new Set(selectedPods(world, service).map((pod) => podFactsOf(pod).serviceAccount));
  for (const { serviceAccount } of selectedWorkloads(world, service)) if (serviceAccount) accounts.add(serviceAccount);
  for (const {
    spec: { template },
  } of workloadsWith(world, namespace, selector ?? {}))
    accounts.add(serviceAccountOf(template.spec));
  return accountIdentities(world.mesh, namespace, [...accounts].sort(compareText));
}
