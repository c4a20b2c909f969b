// Upstreams to which a gateway passes on what sidecars say to each other, without a key to it (AUTO_PASSTHROUGH).
import { derived, sameItems } from "../../world/derive.ts";
import { memoized } from "../../world/memo.ts";
import type { World } from "../../world/world.ts";
import type { Discovery, Upstream } from "../ir/upstream.ts";
import { visibleHosts } from "./registry.ts";
import { serviceUpstreams } from "./upstream.ts";

/** What a gateway is itself does not matter: each of its clients has made its own choice. */
const NO_LABELS = {};

/** Returns them for gateways of a namespace: all that is in the mesh, each port and subset. */
export const passedOnUpstreams = derived(
  (world: World, namespace: string): readonly Upstream[] =>
    [...visibleHosts(world, namespace).values()]
      .filter(({ internal }) => internal)
      .flatMap(({ host }) => serviceUpstreams(world, namespace, NO_LABELS, host))
      .map(passedOn),
  { same: sameItems },
);

/** Nothing is added to what comes: it is for whoever has a sidecar, and all others would be reached in plaintext. */
const passedOn = memoized(
  (upstream: Upstream): Upstream => ({
    ...upstream,
    id: { ...upstream.id, direction: "passedOn" },
    discovery: onlySidecars(upstream.discovery),
    protocol: "tcp",
    tls: { mode: "none" },
  }),
);

function onlySidecars(discovery: Discovery): Discovery {
  return discovery.kind === "endpoints" || discovery.kind === "dns"
    ? { ...discovery, endpoints: discovery.endpoints.filter(({ meshTls }) => meshTls) }
    : discovery;
}
