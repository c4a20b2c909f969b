// Workloads as addresses behind a service that are no pods: WorkloadEntries, and endpoints written in a ServiceEntry.
import { isIP } from "node:net";
import type { WorkloadEndpointSpec } from "../../model/kinds/workload-entry.ts";
import { type Labels, selectsAll } from "../../model/labels.ts";
import type { MeshObject } from "../../model/object.ts";
import { workloadRef, type WorkloadRef } from "../../model/workload-ref.ts";
import { localityOf, topologyOf, withTopology } from "../../pods/locality.ts";
import { labelIndex, objectsIn } from "../../world/label-index.ts";
import { memoized } from "../../world/memo.ts";
import type { World } from "../../world/world.ts";
import type { Backend } from "./mesh-service.ts";

/** A workload that is no pod. */
export interface OtherWorkload extends Pick<WorkloadEndpointSpec, "address" | "ports" | "weight" | "serviceAccount"> {
  /** With where it runs, and the network that it is in. */
  readonly labels: Labels;
  /** As telemetry names it; undefined: nobody does. */
  readonly ref?: WorkloadRef;
}

/** Istio's annotations: the group that a WorkloadEntry is one of, and that its health is watched. */
const GROUP = "istio.io/autoRegistrationGroup";
const HEALTH_CHECKED = "proxy.istio.io/health-checks-enabled";

/** Istio's labels: which network a workload is in, and what is spoken to it. */
const NETWORK = "topology.istio.io/network";
const TLS_MODE = "security.istio.io/tlsMode";

const UNIX_SOCKET = "unix://";

const labelledEntries = labelIndex("WorkloadEntry", (entry) => workloadOf(entry).labels);

/**
 * Returns the WorkloadEntries of a namespace that a selector matches (an empty one: all), oldest first; those without
 * that are watched and not well.
 */
export function selectedEntries(world: World, namespace: string, selector: Labels): readonly OtherWorkload[] {
  return entriesWith(world, namespace, selector).filter(isHealthy).map(workloadOf);
}

/** Returns them all, also those that are not well. */
export function entriesWith(world: World, namespace: string, selector: Labels): readonly MeshObject<"WorkloadEntry">[] {
  return selectsAll(selector)
    ? objectsIn(world, "WorkloadEntry", namespace)
    : labelledEntries(world, namespace, selector);
}

/** The labels of its metadata go before those of its spec, as in Istio. */
const workloadOf = memoized(({ metadata, spec }: MeshObject<"WorkloadEntry">): OtherWorkload => {
  const workload = endpointWorkload({ ...spec, labels: { ...spec.labels, ...metadata.labels } });
  const group = metadata.annotations[GROUP];
  const name = group?.split("/").at(-1) || metadata.name;
  return { ...workload, ref: workloadRef(name, metadata.namespace, workload.labels) };
});

function isHealthy({ metadata, spec }: MeshObject<"WorkloadEntry">): boolean {
  if (metadata.annotations[HEALTH_CHECKED] === undefined) return true;
  return (spec.status?.conditions ?? []).some(({ type, status }) => type === "Healthy" && status === "True");
}

/** Returns the workload that a ServiceEntry's endpoint is. */
export function endpointWorkload({ labels = {}, locality, network, ...spec }: WorkloadEndpointSpec): OtherWorkload {
  const placed = withTopology(labels, topologyOf(locality ?? ""));
  return { ...spec, labels: network ? { ...placed, [NETWORK]: network } : placed };
}

/** Returns whether it is reached by an address of its own, so that nobody needs to look up a name. */
export function hasAddress({ address = "" }: OtherWorkload): boolean {
  return isIP(address) !== 0;
}

/** Returns whether it is reached by a socket of the client's machine. */
export function isSocket({ address = "" }: OtherWorkload): boolean {
  return address.startsWith(UNIX_SOCKET);
}

/** Returns one of its ports as an address; none where it has none. A socket is one whatever the port. */
export function workloadBackends(workload: OtherWorkload, port: number): readonly Backend[] {
  const { address, labels, weight, ref } = workload;
  if (address === undefined) return [];
  const place = isSocket(workload) ? { address: address.slice(UNIX_SOCKET.length), port: 0 } : { address, port };
  const locality = localityOf(labels);
  return [
    {
      labels,
      endpoint: {
        ...place,
        weight: weight || 1,
        meshTls: speaksMeshTls(workload),
        healthy: true,
        ...(locality !== "" && { locality }),
        ...(ref && { workload: ref }),
      },
    },
  ];
}

/** Who has an identity proves it, unless its label says otherwise. */
function speaksMeshTls({ labels, serviceAccount = "" }: OtherWorkload): boolean {
  return (labels[TLS_MODE] ?? (serviceAccount === "" ? "disabled" : "istio")) === "istio";
}
