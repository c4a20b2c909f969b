// What is right in every object alone and wrong between objects. Pure; only warnings, because order of arrival must not
// matter.
import { type FieldPath, formatPath } from "../model/document.ts";
import { CLUSTER_DOMAIN, resolveHost } from "../model/hosts.ts";
import { type MeshObject, objectKey, refOf } from "../model/object.ts";
import type { Violation } from "../validate/violation.ts";
import { derived } from "../world/derive.ts";
import { analyzeTelemetry } from "./analyze-telemetry.ts";
import type { World } from "../world/world.ts";

/** Something wrong with an object, without its place: objects move while they stay the same. */
interface Finding {
  readonly object: MeshObject;
  readonly path: FieldPath;
  readonly message: string;
}

/**
 * Returns references that lead nowhere and objects that another one makes ineffective, by kind and age. After a change
 * only what depends on it is looked at.
 */
export function analyzeWorld(world: World): readonly Violation[] {
  return findings(world).map(({ object, path, message }) => ({
    severity: "warning",
    origin: { ...object.origin },
    object: objectKey(refOf(object)),
    field: formatPath(path),
    message,
  }));
}

const findings = derived((world: World): readonly Finding[] => [
  ...analyzeGateways(world),
  ...analyzeTelemetry(world),
  ...analyzeSubsets(world),
  ...analyzeRivals(world),
  ...analyzeBindings(world),
]);

function analyzeGateways(world: World): readonly Finding[] {
  return world
    .list("VirtualService")
    .flatMap(({ metadata }) => gatewaysMissing(world, metadata.namespace, metadata.name));
}

const gatewaysMissing = derived((world: World, own: string, serviceName: string): readonly Finding[] => {
  const service = world.get("VirtualService", own, serviceName);
  return (service?.spec.gateways ?? []).flatMap((text, index): readonly Finding[] => {
    if (service === undefined || text === "mesh") return [];
    const [first = "", second] = text.split("/");
    const namespace = second === undefined || first === "." ? own : first;
    const name = second ?? first;
    return world.get("Gateway", namespace, name) === undefined
      ? [{ object: service, path: ["spec", "gateways", index], message: `there is no Gateway ${namespace}/${name}` }]
      : [];
  });
});

/** Subsets that DestinationRules define, by the host they are for. */
const subsetsByHost = derived((world: World): ReadonlyMap<string, ReadonlySet<string>> => {
  const byHost = new Map<string, Set<string>>();
  for (const rule of world.list("DestinationRule")) {
    const host = resolveHost(rule.spec.host, rule.metadata.namespace);
    const names = byHost.get(host) ?? new Set();
    for (const subset of rule.spec.subsets ?? []) names.add(subset.name);
    byHost.set(host, names);
  }
  return byHost;
});

const hasSubset = derived(
  (world: World, host: string, subset: string): boolean => subsetsByHost(world).get(host)?.has(subset) === true,
);

function analyzeSubsets(world: World): readonly Finding[] {
  return world
    .list("VirtualService")
    .flatMap(({ metadata }) => subsetsMissing(world, metadata.namespace, metadata.name));
}

const subsetsMissing = derived((world: World, namespace: string, name: string): readonly Finding[] => {
  const service = world.get("VirtualService", namespace, name);
  const found: Finding[] = [];
  service?.spec.http?.forEach((route, routeIndex) =>
    route.route?.forEach(({ destination: { host: text, subset } }, index) => {
      const host = resolveHost(text, namespace);
      if (subset === undefined || hasSubset(world, host, subset)) return;
      found.push({
        object: service,
        path: ["spec", "http", routeIndex, "route", index, "destination", "subset"],
        message: `no DestinationRule of ${host} has a subset ${subset}`,
      });
    }),
  );
  return found;
});

/** For sidecars VirtualServices of one host do not merge: the oldest counts. */
function analyzeRivals(world: World): readonly Finding[] {
  const owners = new Map<string, MeshObject<"VirtualService">>();
  const found: Finding[] = [];
  for (const service of world.list("VirtualService")) {
    const { gateways = [], hosts } = service.spec;
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

function analyzeBindings(world: World): readonly Finding[] {
  const found: Finding[] = [];
  for (const binding of world.list("QuotaSpecBinding")) {
    const own = binding.metadata.namespace;
    binding.spec.quotaSpecs.forEach(({ name, namespace = own }, index) => {
      if (world.get("QuotaSpec", namespace, name) === undefined)
        found.push({
          object: binding,
          path: ["spec", "quotaSpecs", index],
          message: `there is no QuotaSpec ${namespace}/${name}`,
        });
    });
    binding.spec.services.forEach(({ name, namespace = own }, index) => {
      if (world.get("Service", namespace, name) === undefined)
        found.push({
          object: binding,
          path: ["spec", "services", index],
          message: `there is no Service ${name}.${namespace}.svc.${CLUSTER_DOMAIN}`,
        });
    });
  }
  return found;
}
