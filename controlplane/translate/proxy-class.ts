// From a pod to the class of proxies it belongs to.
import type { MeshObject } from "../model/object.ts";
import type { ProxyClass } from "./ir/proxy-class.ts";
import { workloadOf } from "./resolve/workload.ts";

/** Returns the class of the proxy that stands beside (or is) this pod; undefined for pods without one. */
export function proxyClassOfPod(pod: MeshObject<"Pod">): ProxyClass | undefined {
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
  };
}

/** Returns a key that is equal exactly for proxies of one class: they get the same resources. */
export function proxyClassKey(proxy: ProxyClass): string {
  const { labels, ...rest } = proxy;
  return JSON.stringify([rest.kind, rest.namespace, rest.workload, rest.serviceAccount, rest.podIp, rest.outbound ?? null,
    rest.listens.map((listen) => [listen.port, listen.name, listen.bind, listen.application ?? null]), Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))]);
}
