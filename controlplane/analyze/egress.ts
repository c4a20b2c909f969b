// Hosts that Sidecars let their workloads see.
import { hostMatches, hostsOverlap, isWildcardHost, parseScopedHost, resolveHost } from "../model/hosts.ts";
import { allKinds } from "../model/kinds.ts";
import { resolveRegistry } from "../translate/resolve/registry.ts";
import { hostsOf, isForSidecars } from "../translate/resolve/virtual-service.ts";
import { derived } from "../world/derive.ts";
import { objectsByNamespace } from "../world/label-index.ts";
import type { World } from "../world/world.ts";
import { analysisOf } from "./finding.ts";
import { lackingHost, SERVICE_SUFFIX } from "./hosts.ts";

/** Returns egress hosts that nobody declares where they are looked for. */
export const analyzeEgress = analysisOf("Sidecar", (world, { metadata, spec }) =>
  (spec.egress ?? []).flatMap(({ hosts }, egress) =>
    hosts.flatMap((text, index) => {
      const { namespace: scope = "*", host } = parseScopedHost(text);
      if (scope.startsWith("~")) return [];
      const namespace = scope === "." ? metadata.namespace : scope;
      const path = ["spec", "egress", egress, "hosts", index];
      if (host === "*") {
        if (namespace === "*" || namespace === metadata.namespace || isInhabited(world, namespace)) return [];
        return [{ path, message: `there is nothing in namespace ${namespace}`, lacks: [] }];
      }
      const pattern = resolveHost(host, namespace === "*" ? metadata.namespace : namespace);
      if (isDeclared(world, namespace, pattern)) return [];
      const where = namespace === "*" ? "" : ` of namespace ${namespace}`;
      const message = `no Service, ServiceEntry or VirtualService${where} has the host ${pattern}`;
      const lacks = isWildcardHost(pattern) ? ["Service/", "ServiceEntry/", "VirtualService/"] : lackingHost(pattern);
      return [{ path, message, lacks }];
    }),
  ),
);

/** Returns whether a namespace has anything in it. */
export const isInhabited = derived(
  (world: World, namespace: string): boolean =>
    namespace === world.mesh.rootNamespace ||
    world.get("Namespace", "", namespace) !== undefined ||
    allKinds.some((kind) => objectsByNamespace(world, kind).has(namespace)),
);

const isDeclared = derived(
  (world: World, namespace: string, pattern: string): boolean =>
    resolveRegistry(world).some(
      ({ host, ref }) => (namespace === "*" || ref.namespace === namespace) && hostsOverlap(pattern, host),
    ) ||
    world
      .list("VirtualService")
      .some(
        (service) =>
          (namespace === "*" || service.metadata.namespace === namespace) &&
          isForSidecars(service) &&
          hostsOf(service).some((host) => hostMatches(pattern, host) || names(host, pattern)),
      ),
);

/** A rule for every Service declares none of them: whoever names one means that it is there. */
function names(rule: string, host: string): boolean {
  return hostMatches(rule, host) && !host.endsWith(SERVICE_SUFFIX);
}
