// From a pod to the class of proxies it belongs to.
import { isDeepStrictEqual } from "node:util";
import { type Labels, labelsMatch } from "../model/labels.ts";
import type { MeshObject } from "../model/object.ts";
import { derived } from "../world/derive.ts";
import type { World } from "../world/world.ts";
import type { ProxyClass } from "../translate/ir/proxy-class.ts";
import { servicesSelecting } from "../translate/resolve/inbound.ts";
import { memoized } from "../world/memo.ts";
import { workloadOf } from "../translate/resolve/workload.ts";

/**
 * Returns the class of the proxy that stands beside (or is) this pod, the same object each time; undefined for pods
 * without one.
 */
export const proxyClassOfPod = memoized((pod: MeshObject<"Pod">): ProxyClass | undefined => {
  const workload = workloadOf(pod);
  if (workload.proxy === "none") return undefined;
  return {
    kind: workload.proxy,
    namespace: workload.namespace,
    workload: workload.ref.name,
    serviceAccount: workload.serviceAccount,
    labels: workload.labels,
    podIp: workload.ip,
    listens: workload.listens,
    ...(workload.outbound && { outbound: workload.outbound }),
    ...(workload.engine && { engine: workload.engine }),
  };
});

/**
 * Returns the class of a proxy like this one that proved nothing and is given no certificate; the same object each
 * time.
 */
export const withoutIdentityOf = memoized((proxy: ProxyClass): ProxyClass => ({ ...proxy, identity: "none" }));

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
}

/** The sidecar's explicit proxy listener, where nobody says otherwise. */
const OUTBOUND_PORT = 15_001;

/**
 * Returns the class of such a proxy. It listens on its own address: a sidecar on the target ports of the Services that
 * select it (the application is expected on the same port of 127.0.0.1), a router on the ports of the Gateways that
 * select it. The same object while it says the same.
 */
export const proxyClassOfNode = derived(
  (world: World, { kind, namespace, serviceAccount, workload, labels, ip }: UndescribedProxy): ProxyClass => {
    const own = { kind, namespace, serviceAccount, workload, labels, podIp: ip };
    if (kind === "router")
      return {
        ...own,
        listens: gatewayPorts(world, labels).map(({ number, name }) => ({
          port: number,
          name,
          bind: { address: ip, port: number },
        })),
      };
    const ports = targetPorts(world, namespace, labels);
    const listens = ports.map(({ number, name }) => ({
      port: number,
      name,
      bind: { address: ip, port: number },
      application: { address: "127.0.0.1", port: number },
    }));
    return { ...own, listens, outbound: { address: ip, port: OUTBOUND_PORT } };
  },
  { keyOf: (node) => JSON.stringify(node), same: isDeepStrictEqual },
);

interface NumberedPort {
  readonly number: number;
  readonly name: string;
}

/** Named target ports need a pod to say what they mean, and are left out. */
function targetPorts(world: World, namespace: string, labels: Labels): readonly NumberedPort[] {
  const services = servicesSelecting(world, namespace, labels);
  return byNumber(
    services
      .flatMap(({ spec }) => spec.ports ?? [])
      .map(({ port, targetPort, name = "" }) => ({ number: Number(targetPort ?? port), name })),
  );
}

function gatewayPorts(world: World, labels: Labels): readonly NumberedPort[] {
  return byNumber(
    world
      .list("Gateway")
      .filter(({ spec }) => labelsMatch(spec.selector, labels))
      .flatMap(({ spec }) => spec.servers ?? [])
      .map(({ port }) => ({ number: port.number, name: port.name })),
  );
}

/** Each number once, ascending. */
function byNumber(ports: readonly NumberedPort[]): readonly NumberedPort[] {
  const found = new Map(ports.filter(({ number }) => Number.isInteger(number)).map((port) => [port.number, port]));
  return [...found.values()].sort((a, b) => a.number - b.number);
}
