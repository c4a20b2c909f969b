// ServiceEntries as hosts of the mesh.
import { isIP } from "node:net";
import { isWildcardHost, resolveHost } from "../../model/hosts.ts";
import { compareText, type MeshObject } from "../../model/object.ts";
import type {
  ServiceEntryEndpointSpec,
  ServiceEntryPortSpec,
  ServiceEntrySpec,
} from "../../model/kinds/service-entry.ts";
import { derived } from "../../world/derive.ts";
import type { World } from "../../world/world.ts";
import { localityOf, topologyOf, withTopology } from "../../pods/locality.ts";
import { sortBackends } from "./pod-endpoints.ts";
import { protocolOfEntryPort } from "./protocol.ts";
import type { Backend, MeshService } from "./mesh-service.ts";
import { workloadRef } from "../../model/workload-ref.ts";
import { accountIdentities } from "./trust-domains.ts";

/** Returns the hosts of all ServiceEntries, oldest first; one entry per host of each. */
export function entryServices(world: World): readonly MeshService[] {
  return world
    .list("ServiceEntry")
    .flatMap(({ metadata }) => servicesOfEntry(world, metadata.namespace, metadata.name));
}

const servicesOfEntry = derived((world: World, namespace: string, name: string): readonly MeshService[] => {
  const entry = world.get("ServiceEntry", namespace, name);
  return entry?.spec.hosts.map((host) => entryService(world, entry, resolveHost(host, namespace))) ?? [];
});

function entryService(world: World, entry: MeshObject<"ServiceEntry">, host: string): MeshService {
  const { namespace } = entry.metadata;
  const { spec } = entry;
  const internal = spec.location === "MESH_INTERNAL";
  const accounts = [...new Set((spec.endpoints ?? []).flatMap((endpoint) => endpoint.serviceAccount || []))].sort(
    compareText,
  );
  return {
    host,
    ref: { host, name: host, namespace },
    declaredBy: "ServiceEntry",
    ports: (spec.ports ?? []).map((port) => ({
      number: port.number,
      name: port.name,
      protocol: protocolOfEntryPort(port.number, port.name, port.protocol),
    })),
    addresses: (spec.addresses ?? []).filter((address) => !address.includes("/")),
    subnets: (spec.addresses ?? []).filter((address) => address.includes("/")),
    isHeadless: false,
    exportTo: spec.exportTo,
    internal,
    anySource: true,
    discovery: discoveryOf(spec),
    identities: accountIdentities(world.mesh, namespace, accounts),
    backends: new Map((spec.ports ?? []).map((port) => [port.number, backendsOf(spec, port, host, namespace)])),
  };
}

/** Resolution NONE means "where the client was going": an explicit proxy knows that from the request's host alone. */
function discoveryOf(spec: ServiceEntrySpec): MeshService["discovery"] {
  if (spec.resolution === "STATIC") return "endpoints";
  if (spec.resolution === "DNS_ROUND_ROBIN") return "oneByDns";
  return spec.resolution === "DNS" ? "dns" : "forward";
}

function backendsOf(
  spec: ServiceEntrySpec,
  port: ServiceEntryPortSpec,
  host: string,
  namespace: string,
): readonly Backend[] {
  const endpoints = spec.endpoints ?? [];
  const dns = spec.resolution === "DNS" || spec.resolution === "DNS_ROUND_ROBIN";
  if (endpoints.length > 0)
    return sortBackends(endpoints.flatMap((endpoint) => endpointBackend(endpoint, port, namespace, dns)));
  // A DNS entry without endpoints means its own host, if that is one.
  return dns && !isWildcardHost(host)
    ? [{ labels: {}, endpoint: plainEndpoint(host, port.targetPort ?? port.number) }]
    : [];
}

function endpointBackend(
  endpoint: ServiceEntryEndpointSpec,
  port: ServiceEntryPortSpec,
  namespace: string,
  dns: boolean,
): readonly Backend[] {
  if (endpoint.address === undefined || endpoint.address.startsWith("unix:")) return [];
  if (!dns && isIP(endpoint.address) === 0) return [];
  const labels = withTopology(endpoint.labels ?? {}, topologyOf(endpoint.locality ?? ""));
  const locality = localityOf(labels);
  const target = endpoint.ports?.[port.name] ?? port.targetPort ?? port.number;
  const named = labels.app === undefined ? {} : { workload: workloadRef(labels.app, namespace, labels) };
  const meshTls = labels["security.istio.io/tlsMode"] === "istio";
  return [
    {
      labels,
      endpoint: {
        ...plainEndpoint(endpoint.address, target),
        weight: endpoint.weight || 1,
        meshTls,
        ...(locality !== "" && { locality }),
        ...named,
      },
    },
  ];
}

function plainEndpoint(address: string, port: number) {
  return { address, port, weight: 1, meshTls: false, healthy: true };
}
