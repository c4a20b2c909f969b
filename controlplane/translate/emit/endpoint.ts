// The addresses behind an upstream as Envoy's load assignment.
import type { Address, ClusterLoadAssignment, LbEndpoint, Metadata } from "../../../protos/build/envoy.ts";
import type { WorkloadRef } from "../../model/workload-ref.ts";
import type { Endpoint, Endpoints, Upstream } from "../ir/upstream.ts";
import { interned } from "../../world/interned.ts";
import { upstreamName } from "./names.ts";

const assignments = interned(({ id, discovery }: Upstream) => [id, discovery], makeAssignment);

/**
 * Returns the load assignment of an upstream, addresses in the upstream's order; the same object for equal addresses.
 */
export function buildLoadAssignment(upstream: Upstream): ClusterLoadAssignment {
  return assignments(upstream);
}

function makeAssignment(upstream: Upstream): ClusterLoadAssignment {
  const { endpoints, localityWeights }: Endpoints =
    "endpoints" in upstream.discovery ? upstream.discovery : { endpoints: [] };
  return {
    clusterName: upstreamName(upstream.id),
    endpoints: byPlace(endpoints.filter((endpoint) => endpoint.healthy)).map(({ locality, priority, members }) => ({
      ...(locality !== "" && { locality: localityOf(locality) }),
      loadBalancingWeight: localityWeights?.[locality] ?? members.reduce((sum, member) => sum + member.weight, 0),
      ...(priority > 0 && { priority }),
      lbEndpoints: members.map(lbEndpoint),
    })),
  };
}

/** Envoy takes addresses of one locality and priority together. */
interface Place {
  readonly locality: string;
  readonly priority: number;
  readonly members: Endpoint[];
}

function byPlace(endpoints: readonly Endpoint[]): readonly Place[] {
  const places = new Map<string, Place>();
  for (const endpoint of endpoints) {
    const { locality = "", priority = 0 } = endpoint;
    const key = `${locality} ${priority}`;
    const place = places.get(key) ?? { locality, priority, members: [] };
    place.members.push(endpoint);
    places.set(key, place);
  }
  return [...places.values()].sort(
    (a, b) => a.priority - b.priority || (a.locality < b.locality ? -1 : a.locality > b.locality ? 1 : 0),
  );
}

function localityOf(text: string) {
  const [region = "", zone = "", subZone = ""] = text.split("/");
  return { region, ...(zone !== "" && { zone }), ...(subZone !== "" && { subZone }) };
}

function lbEndpoint(endpoint: Endpoint): LbEndpoint {
  const filterMetadata = metadataOf(endpoint);
  return {
    endpoint: { address: addressOf(endpoint) },
    // One is what Envoy takes where nobody says.
    ...(endpoint.weight !== 1 && { loadBalancingWeight: endpoint.weight }),
    ...(Object.keys(filterMetadata ?? {}).length > 0 && { metadata: { filterMetadata } }),
  };
}

function addressOf({ address, port }: Endpoint): Address {
  const isSocket = address.startsWith("/") || address.startsWith("@");
  return isSocket ? { pipe: { path: address } } : { socketAddress: { address, portValue: port } };
}

function metadataOf({ workload, meshTls }: Endpoint): Metadata["filterMetadata"] {
  return {
    ...(workload && { istio: { workload: workloadText(workload) } }),
    ...(meshTls && { "envoy.transport_socket_match": { tlsMode: "istio" } }),
  };
}

/** Istio's form: `<workload>;<namespace>;<canonical name>;<canonical revision>;<cluster id>`. */
function workloadText(workload: WorkloadRef): string {
  return [workload.name, workload.namespace, workload.canonicalName, workload.canonicalRevision, workload.clusterId]
    .map((part) => part.replaceAll(";", "_"))
    .join(";");
}
