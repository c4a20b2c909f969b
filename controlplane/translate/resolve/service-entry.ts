// ServiceEntries as hosts of the mesh.
import { isWildcardHost, resolveHost } from "../../model/hosts.ts";
import { type Labels, selectsAll } from "../../model/labels.ts";
import { compareText, type MeshObject } from "../../model/object.ts";
import type { ServiceEntryPortSpec, ServiceEntrySpec } from "../../model/kinds/service-entry.ts";
import { workloadRef } from "../../model/workload-ref.ts";
import { podFactsOf } from "../../pods/pod-facts.ts";
import { derived } from "../../world/derive.ts";
import { objectsIn } from "../../world/label-index.ts";
import type { World } from "../../world/world.ts";
import type { Backend, MeshService } from "./mesh-service.ts";
import { podBackend, podsWith, sortBackends, takesTraffic } from "./pod-endpoints.ts";
import { protocolOfEntryPort } from "./protocol.ts";
import { accountIdentities } from "./trust-domains.ts";
import {
  endpointWorkload,
  hasAddress,
  isSocket,
  type OtherWorkload,
  selectedEntries,
  workloadBackends,
} from "./workload-endpoints.ts";

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
  const behind = workloadsBehind(world, entry);
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
    internal: spec.location === "MESH_INTERNAL",
    anySource: true,
    discovery: DISCOVERY[spec.resolution ?? "NONE"],
    identities: [...identitiesOf(world, entry, behind)],
    backends: new Map(
      (spec.ports ?? []).map((port) => [port.number, sortBackends(backendsOf(world, spec, port, host, behind))]),
    ),
  };
}

/** Resolution NONE means "where the client was going": an explicit proxy knows that from the request's host alone. */
const DISCOVERY: Readonly<Record<NonNullable<ServiceEntrySpec["resolution"]>, MeshService["discovery"]>> = {
  NONE: "forward",
  STATIC: "endpoints",
  DNS: "dns",
  DNS_ROUND_ROBIN: "oneByDns",
  DYNAMIC_DNS: "byRequest",
};

/** What its endpoints, or those that its selector names, are. */
interface Behind {
  readonly workloads: readonly OtherWorkload[];
  readonly pods: readonly MeshObject<"Pod">[];
}

/** Only where names are looked up a name is of any use. */
function workloadsBehind(world: World, { metadata, spec }: MeshObject<"ServiceEntry">): Behind {
  const { endpoints = [], workloadSelector, resolution = "NONE" } = spec;
  const { namespace } = metadata;
  if (resolution === "NONE") return { workloads: [], pods: [] };
  const isUsable = (workload: OtherWorkload) =>
    hasAddress(workload) || isSocket(workload) === (resolution === "STATIC");
  if (workloadSelector === undefined) {
    const workloads = endpoints.map(endpointWorkload).map((workload) => named(workload, namespace));
    return { workloads: workloads.filter(isUsable), pods: [] };
  }
  const selector = workloadSelector.labels ?? {};
  return {
    workloads: selectedEntries(world, namespace, selector).filter(isUsable),
    pods: selectedPods(world, namespace, selector),
  };
}

/** An endpoint has no name but its label. */
function named(workload: OtherWorkload, namespace: string): OtherWorkload {
  const { labels } = workload;
  return labels["app"] === undefined ? workload : { ...workload, ref: workloadRef(labels["app"], namespace, labels) };
}

function selectedPods(world: World, namespace: string, selector: Labels): readonly MeshObject<"Pod">[] {
  return selectsAll(selector) ? objectsIn(world, "Pod", namespace) : podsWith(world, namespace, selector);
}

/** Of service accounts behind it, and those that it names itself. */
function identitiesOf(
  world: World,
  { metadata, spec }: MeshObject<"ServiceEntry">,
  { workloads, pods }: Behind,
): ReadonlySet<string> {
  const accounts = [
    ...workloads.flatMap(({ serviceAccount }) => serviceAccount || []),
    ...pods.map((pod) => podFactsOf(pod).serviceAccount),
  ];
  const own = accountIdentities(world.mesh, metadata.namespace, [...new Set(accounts)].sort(compareText));
  return new Set([...own, ...(spec.subjectAltNames ?? [])]);
}

function backendsOf(
  world: World,
  { resolution, endpoints = [], workloadSelector }: ServiceEntrySpec,
  port: ServiceEntryPortSpec,
  host: string,
  { workloads, pods }: Behind,
): readonly Backend[] {
  const target = port.targetPort ?? port.number;
  const looksUp = resolution === "DNS" || resolution === "DNS_ROUND_ROBIN";
  // A DNS entry without endpoints means its own host, if that is one.
  if (looksUp && workloadSelector === undefined && endpoints.length === 0 && !isWildcardHost(host))
    return workloadBackends({ address: host, labels: {} }, target);
  return [
    ...workloads.flatMap((workload) => workloadBackends(workload, workload.ports?.[port.name] ?? target)),
    ...pods
      .map(podFactsOf)
      .filter((facts) => takesTraffic(facts))
      .map((facts) => {
        const own = facts.containerPorts.find(({ name }) => name === port.name)?.port;
        return podBackend(world, facts, own ?? target);
      }),
  ];
}
