// Upstreams as clients reach them whose connections say by themselves where they were going.
import { memoized } from "../../world/memo.ts";
import type { World } from "../../world/world.ts";
import type { Upstream, UpstreamTls } from "../ir/upstream.ts";
import { visibleHost } from "./registry.ts";

/** Returns the upstream for captured clients in a namespace; the same object for the same upstream. */
export function capturedUpstream(world: World, namespace: string, upstream: Upstream): Upstream {
  return asCaptured(upstream, visibleHost(world, namespace, upstream.id.host)?.isHeadless === true);
}

/**
 * Of what has no address of its own, or was to be found by the request's host, the client has chosen one, and so it has
 * where a rule says PASSTHROUGH. A captured pod's connections leave from whatever address reaches their end anyway.
 */
const asCaptured = memoized((upstream: Upstream, isHeadless: boolean): Upstream => {
  const { discovery, loadBalancer } = upstream;
  const isPassed = loadBalancer.kind === "passthrough" && discovery.kind !== "none";
  if (
    isPassed ||
    (discovery.kind === "forward" && discovery.always !== true) ||
    (isHeadless && discovery.kind === "endpoints")
  )
    return { ...upstream, anySource: false, discovery: { kind: "original" }, tls: tlsOfOriginal(upstream) };
  return upstream.anySource ? { ...upstream, anySource: false } : upstream;
});

/** Nobody knows an address's sidecar before it is asked for: one of the service's pods speaks for all, as in Istio. */
function tlsOfOriginal({ tls, discovery }: Upstream): UpstreamTls {
  if (tls.mode !== "auto") return tls;
  const mayHaveSidecars = discovery.kind === "endpoints" && discovery.endpoints.some(({ meshTls }) => meshTls);
  return mayHaveSidecars ? { ...tls, mode: "mesh" } : { mode: "none" };
}
