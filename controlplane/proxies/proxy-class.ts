// From a pod to its proxy, and to the class that it belongs to.
import { openedServers } from "../model/kinds/gateway.ts";
import { isDeepStrictEqual } from "node:util";
import { type Labels, labelsMatch } from "../model/labels.ts";
import type { MeshObject } from "../model/object.ts";
import { derived } from "../world/derive.ts";
import type { World } from "../world/world.ts";
import { classPorts, type MeshProxy, type ProxyClass } from "../translate/ir/proxy-class.ts";
import type { CaptureMode } from "../pods/annotations.ts";
import { OUTBOUND_PORT, sidecarListens } from "../pods/listen-port.ts";
import { podFactsOf } from "../pods/pod-facts.ts";
import { byNumber, eachOnce, type ServedPort, servedPorts, servicesSelecting } from "../pods/served-ports.ts";
import { interned } from "../world/interned.ts";
import { memoized } from "../world/memo.ts";

/**
 * Returns the proxy that stands beside (or is) this pod, the same object while it is the same; undefined for pods
 * without one. Where an injected gateway listens follows from the world: nobody chose ports for it.
 */
export function proxyOfPod(world: World, pod: MeshObject<"Pod">): MeshProxy | undefined {
  const { proxy: kind, listens, ...facts } = podFactsOf(pod);
  if (kind !== "router" || listens.length > 0) return describedProxy(pod);
  const { namespace, serviceAccount, workload, labels, ip, moreIps } = facts;
  return proxyOfNode(world, { kind, namespace, serviceAccount, workload, labels, ip, moreIps });
}

const describedProxy = memoized((pod: MeshObject<"Pod">): MeshProxy | undefined => {
  const facts = podFactsOf(pod);
  const { proxy, namespace, workload, serviceAccount, labels, ip, listens, outbound, capture, engine } = facts;
  if (proxy === "none") return undefined;
  const goesOut = outbound !== undefined || capture !== undefined;
  const ports = classPorts(listens);
  return oneProxy({
    class: oneClass({ kind: proxy, namespace, workload, serviceAccount, labels, ports, goesOut, capture, engine }),
    address: ip,
    ...(facts.moreIps.length > 0 && { moreAddresses: facts.moreIps }),
    listens,
    outbound,
  });
});

/** Replicas have their class in common; and a pod that changes in other things has the proxy that it had. */
const oneClass = interned(
  (proxyClass: ProxyClass) => proxyClass,
  (proxyClass) => proxyClass,
);
const oneProxy = interned(
  (proxy: MeshProxy) => proxy,
  (proxy) => proxy,
);

/** Returns a proxy like this one that proved nothing and is given no certificate; the same object each time. */
export const withoutIdentityOf = memoized(
  (proxy: MeshProxy): MeshProxy => ({ ...proxy, class: unidentified(proxy.class) }),
);
const unidentified = memoized((proxyClass: ProxyClass): ProxyClass => ({ ...proxyClass, identity: "none" }));

/**
 * A proxy whose pod no document describes. Namespace and service account are proven; the rest is what its node says.
 */
export interface UndescribedProxy {
  readonly kind: "sidecar" | "router";
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly workload: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ip: string;
  readonly moreIps?: readonly string[] | undefined;
  /** How connections come to it, as its bootstrap says (INTERCEPTION_MODE). */
  readonly capture?: CaptureMode | undefined;
}

/**
 * Returns such a proxy. It listens on its own address: a sidecar on the target ports of the Services that select it
 * (the application is expected on the same port of 127.0.0.1), a router on the ports of the Gateways that select it.
 * The same object while it says the same.
 */
export const proxyOfNode = derived(
  (world: World, { ip: address, moreIps: moreAddresses, capture, ...own }: UndescribedProxy): MeshProxy => {
    if (own.kind === "router") {
      const ports = gatewayPorts(world, own.labels);
      const listens = ports.map((port) => ({ ...port, bind: { address, port: targetPort(world, own, port, ports) } }));
      const router = { ...own, ports: classPorts(listens), goesOut: false };
      return { class: router, address, ...((moreAddresses ?? []).length > 0 && { moreAddresses }), listens };
    }
    // Which port a connection is for the kernel says, and what it means the Services.
    if (capture !== undefined) {
      const captured = { ...own, ports: [], goesOut: true, capture };
      return { class: captured, address, moreAddresses, listens: [] };
    }
    const listens = sidecarListens(address, [...servedPorts(world, own.namespace, own.labels)].sort(byNumber));
    const outbound = { address, port: OUTBOUND_PORT };
    return { class: { ...own, ports: classPorts(listens), goesOut: true }, address, listens, outbound };
  },
  { keyOf: (node) => JSON.stringify(node), same: isDeepStrictEqual },
);

/**
 * Where a router listens for a Gateway's port: at the target port of the Service that leads there by that number, as in
 * Istio, unless it is a port of a Gateway itself.
 */
function targetPort(
  world: World,
  { namespace, labels }: Pick<UndescribedProxy, "namespace" | "labels">,
  { port }: ServedPort,
  taken: readonly ServedPort[],
): number {
  const [target] = servicesSelecting(world, namespace, labels)
    .flatMap(({ spec }) => spec.ports ?? [])
    .filter((candidate) => candidate.port === port)
    .map((candidate) => Number(candidate.targetPort ?? port));
  return target === undefined || !Number.isInteger(target) || taken.some((other) => other.port === target)
    ? port
    : target;
}

/** The ports of the Gateways that select a router, each number once, ascending. */
function gatewayPorts(world: World, labels: Labels): readonly ServedPort[] {
  const ports = world
    .list("Gateway")
    .filter(({ spec }) => labelsMatch(spec.selector, labels))
    .flatMap(({ spec }) => openedServers(spec))
    .map(([, { port }]) => ({ port: port.number, name: port.name }));
  return [...eachOnce(ports)].sort(byNumber);
}
