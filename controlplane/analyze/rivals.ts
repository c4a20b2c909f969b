// VirtualServices of one host: for sidecars they do not merge, the oldest counts.
import { resolveHost } from "../model/hosts.ts";
import { type MeshObject, objectKey, refOf } from "../model/object.ts";
import type { World } from "../world/world.ts";
import type { Finding } from "./finding.ts";

/** Returns hosts that an older VirtualService of the same namespace routes already. */
export function analyzeRivals(world: World): readonly Finding[] {
  const owners = new Map<string, MeshObject<"VirtualService">>();
  const found: Finding[] = [];
  for (const service of world.list("VirtualService")) {
    const { gateways = [], hosts = [] } = service.spec;
    if (gateways.length > 0 && !gateways.includes("mesh")) continue;
    hosts.forEach((text, index) => {
      const key = `${service.metadata.namespace} ${resolveHost(text, service.metadata.namespace)}`;
      const owner = owners.get(key);
      if (owner === undefined) owners.set(key, service);
      else
        found.push({
          object: service,
          path: ["spec", "hosts", index],
          message: `has no effect on sidecars: ${objectKey(refOf(owner))} routes ${text} already, and is older`,
        });
    });
  }
  return found;
}
