// Who gets a sidecar, and who has one.
import type { Labels } from "../model/labels.ts";
import { givenProxy } from "./annotations.ts";

/** What stands beside a pod's workload; a gateway's pod is nothing but its `router`. */
export type PodProxy = "sidecar" | "router" | "none";

/** The proxy's container in a pod of a cluster, as Istio calls it. */
export const PROXY_CONTAINER = "istio-proxy";

/** Labels and annotations of a pod, or of the template that it is made from. */
export interface PodMarks {
  readonly labels: Labels;
  readonly annotations: Labels;
}

/** Whether the pods of a template get a sidecar: all do, except where Istio's own mark refuses it. */
export function wantsSidecar({ labels, annotations }: PodMarks): boolean {
  return [labels, annotations].every((marks) => marks["sidecar.istio.io/inject"] !== "false");
}

/** Returns the proxy that a pod has: the one that Scrim gave it, else one of another injector. */
export function proxyOf({ labels, annotations }: PodMarks): PodProxy {
  // Pods that Istio's injector (or one like it) gave a sidecar say so in these two ways.
  const injected =
    annotations["sidecar.istio.io/status"] !== undefined || labels["security.istio.io/tlsMode"] === "istio";
  return givenProxy(annotations) ?? (injected ? "sidecar" : "none");
}
