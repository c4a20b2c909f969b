// The registry in the form of Istio's /debug/registryz and /debug/endpointz.
import { CLUSTER_ID } from "../../model/workload-ref.ts";
import type { World } from "../../world/world.ts";
import type { Backend, MeshService } from "../../translate/resolve/mesh-service.ts";
import type { PortProtocol } from "../../translate/resolve/protocol.ts";
import { resolveRegistry } from "../../translate/resolve/registry.ts";

/** Istio's numbers: ClientSideLB, DNSLB, Passthrough, DNSRoundRobinLB. */
const RESOLUTION = { endpoints: 0, dns: 1, forward: 2, oneByDns: 3, byRequest: 5 } as const;
const PROTOCOL: Readonly<Record<PortProtocol, string>> = {
  http: "HTTP",
  http2: "HTTP2",
  grpc: "GRPC",
  auto: "UnsupportedProtocol",
  https: "HTTPS",
  tls: "TLS",
  tcp: "TCP",
};

/** Returns Istio's list of services: every declared host with its attributes, ports and addresses. */
export function registry(world: World): readonly object[] {
  return resolveRegistry(world).map((service) => ({
    Attributes: attributesOf(world, service),
    hostname: service.host,
    ports: portsOf(service),
    ...(service.identities.length === 0 ? {} : { serviceAccounts: service.identities }),
    clusterVIPs: { Addresses: service.addresses.length === 0 ? null : { [CLUSTER_ID]: service.addresses } },
    creationTime: creationTime(world, service) ?? "0001-01-01T00:00:00Z",
    defaultAddress: service.addresses[0] ?? "0.0.0.0",
    ResourceVersion: "",
    Resolution: RESOLUTION[service.discovery],
    MeshExternal: !service.internal,
  }));
}

/** Returns Istio's endpoint shards: host → namespace → shards by cluster, each a list of endpoints. */
export function endpointShards(world: World): object {
  const shards: Record<string, Record<string, object>> = {};
  for (const service of resolveRegistry(world)) {
    const endpoints = service.ports.flatMap(({ number, name }) =>
      (service.backends.get(number) ?? []).map((backend) => endpointOf(service, name, backend)),
    );
    const accounts = Object.fromEntries(service.identities.map((identity) => [identity, {}]));
    (shards[service.host] ??= {})[service.ref.namespace] = {
      Shards: { [`${CLUSTER_ID}/${CLUSTER_ID}`]: endpoints },
      ServiceAccounts: accounts,
    };
  }
  return shards;
}

function portsOf(service: MeshService): readonly object[] {
  return service.ports.map(({ name, number, protocol }) => ({
    ...(name === "" ? {} : { name }),
    port: number,
    protocol: PROTOCOL[protocol],
  }));
}

function attributesOf(world: World, { ref, declaredBy, exportTo }: MeshService): object {
  const object =
    declaredBy === "Service"
      ? world.get("Service", ref.namespace, ref.name)
      : world.get("ServiceEntry", ref.namespace, ref.name);
  const spec = object?.kind === "Service" ? world.get("Service", ref.namespace, ref.name)?.spec : undefined;
  return {
    ServiceRegistry: declaredBy === "Service" ? "Kubernetes" : "External",
    Name: ref.name,
    Namespace: ref.namespace,
    Labels: object?.metadata.labels ?? null,
    LabelSelectors: spec?.selector ?? null,
    ExportTo: exportTo === undefined ? null : Object.fromEntries(exportTo.map((namespace) => [namespace, {}])),
    Type: spec?.type ?? (declaredBy === "Service" ? "ClusterIP" : ""),
  };
}

function creationTime(world: World, { ref, declaredBy }: MeshService): string | undefined {
  return world.get(declaredBy, ref.namespace, ref.name)?.metadata.creationTimestamp;
}

function endpointOf(service: MeshService, portName: string, { endpoint, labels }: Backend): object {
  const { workload } = endpoint;
  return {
    Labels: labels,
    Addresses: [endpoint.address],
    ServicePortName: portName,
    ServiceAccount: service.identities[0] ?? "",
    Network: "",
    Locality: { Label: endpoint.locality ?? "", ClusterID: workload?.clusterId ?? CLUSTER_ID },
    EndpointPort: endpoint.port,
    LbWeight: endpoint.weight,
    TLSMode: endpoint.meshTls ? "istio" : "disabled",
    Namespace: workload?.namespace ?? service.ref.namespace,
    WorkloadName: workload?.name ?? "",
    HostName: "",
    SubDomain: "",
    /** 1 is healthy, 2 is not, in Istio's numbers. */
    HealthStatus: endpoint.healthy ? 1 : 2,
  };
}
