import { reachedFromMachine } from "../pods/listen-port.ts";
import { formatSocketAddress } from "../model/socket-address.ts";
import { spiffeId } from "../model/spiffe.ts";
import { CLUSTER_ID } from "../model/workload-ref.ts";
import type { ResourceShortName } from "../snapshot/type-urls.ts";
import type { World } from "../world/world.ts";
import { type ProxySync, type ControlPlaneView, type ProxyStatus, syncTypes } from "./contract.ts";
import { type ProxiedPod, proxiedPods } from "../pods/pod-facts.ts";

/**
 * Returns every proxy there is or should be: the runner's pods, and whoever else is connected; sorted by namespace and
 * name. `runsLocally`: the mesh is this machine's, and in no cluster.
 */
export function buildProxyStatus(
  view: Pick<ControlPlaneView, "world" | "proxies">,
  runsLocally: boolean,
): readonly ProxyStatus[] {
  const cluster = runsLocally ? "local" : CLUSTER_ID;
  const world = view.world();
  const connected = new Map(view.proxies().map((proxy) => [`${proxy.namespace}/${proxy.pod}`, proxy]));
  const pods = world === undefined ? [] : proxiedPods(world).filter(({ finished }) => !finished);
  const known = pods.map((pod) => {
    const proxy = connected.get(`${pod.namespace}/${pod.name}`);
    connected.delete(`${pod.namespace}/${pod.name}`);
    return fromPod(pod, proxy, world);
  });
  return [...known, ...[...connected.values()].map(fromConnection)]
    .map((status) => ({ ...status, cluster }))
    .sort((a, b) => compare(`${a.namespace}/${a.name}`, `${b.namespace}/${b.name}`));
}

type StatusWithoutCluster = Omit<ProxyStatus, "cluster">;

function fromPod(pod: ProxiedPod, proxy: ProxySync | undefined, world: World | undefined): StatusWithoutCluster {
  return {
    name: pod.name,
    kind: pod.proxy,
    workload: pod.workload,
    namespace: pod.namespace,
    identity:
      proxy?.identity ?? spiffeId(world?.mesh.trustDomain ?? "cluster.local", pod.namespace, pod.serviceAccount),
    podIp: pod.ip,
    outbound: pod.outbound === undefined ? "" : formatSocketAddress(pod.outbound),
    envoyAdmin: pod.envoyAdmin,
    pid: pod.envoyPid ?? null,
    envoyVersion: proxy?.envoyVersion ?? "",
    ports: pod.listens.map((at) => ({ port: at.port, address: formatSocketAddress(reachedFromMachine(at)) })),
    sync: proxy?.sync ?? notConnected(),
    rejections: proxy?.rejections ?? [],
    ready: pod.ready,
    terminating: pod.terminating,
  };
}

/** A proxy that somebody else runs: what it says about itself in its node id is all there is. */
function fromConnection(proxy: ProxySync): StatusWithoutCluster {
  const [kind, ip] = proxy.nodeId.split("~");
  return {
    name: proxy.pod,
    kind: kind === "router" ? "router" : "sidecar",
    workload: "",
    namespace: proxy.namespace,
    identity: proxy.identity,
    podIp: ip ?? "",
    outbound: "",
    envoyAdmin: "",
    pid: null,
    envoyVersion: proxy.envoyVersion,
    ports: [],
    sync: proxy.sync,
    rejections: proxy.rejections,
    ready: true,
    terminating: false,
  };
}

function notConnected(): Record<ResourceShortName, "NOT CONNECTED"> {
  return Object.fromEntries(syncTypes.map((type) => [type, "NOT CONNECTED"])) as Record<
    ResourceShortName,
    "NOT CONNECTED"
  >;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
