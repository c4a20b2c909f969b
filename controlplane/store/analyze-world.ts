// What is right in every object alone and wrong between objects. Pure; only warnings, because order of arrival must not matter.
import { type FieldPath, formatPath } from "../model/document.ts";
import { CLUSTER_DOMAIN, resolveHost } from "../model/hosts.ts";
import { type MeshObject, objectKey, refOf } from "../model/object.ts";
import type { Violation } from "../validate/violation.ts";
import type { World } from "./world.ts";

/** Returns references that lead nowhere and objects that another one makes ineffective, by kind and age. */
export function analyzeWorld(world: World): readonly Violation[] {
  return [...analyzeGateways(world), ...analyzeSubsets(world), ...analyzeRivals(world), ...analyzeBindings(world)];
}

function warning(object: MeshObject, path: FieldPath, message: string): Violation {
  return { severity: "warning", ...object.location, object: objectKey(refOf(object)), field: formatPath(path), message };
}

function analyzeGateways(world: World): readonly Violation[] {
  const found: Violation[] = [];
  for (const service of world.list("VirtualService")) {
    service.spec.gateways?.forEach((text, index) => {
      if (text === "mesh") return;
      const [first = "", second] = text.split("/");
      const namespace = second === undefined || first === "." ? service.metadata.namespace : first;
      const name = second ?? first;
      if (world.get("Gateway", namespace, name) === undefined) found.push(warning(service, ["spec", "gateways", index], `there is no Gateway ${namespace}/${name}`));
    });
  }
  return found;
}

/** Subsets that DestinationRules define, by the host they are for. */
function subsetsByHost(world: World): ReadonlyMap<string, ReadonlySet<string>> {
  const byHost = new Map<string, Set<string>>();
  for (const rule of world.list("DestinationRule")) {
    const host = resolveHost(rule.spec.host, rule.metadata.namespace);
    const names = byHost.get(host) ?? new Set();
    for (const subset of rule.spec.subsets ?? []) names.add(subset.name);
    byHost.set(host, names);
  }
  return byHost;
}

function analyzeSubsets(world: World): readonly Violation[] {
  const subsets = subsetsByHost(world);
  const found: Violation[] = [];
  for (const service of world.list("VirtualService")) {
    service.spec.http?.forEach((route, routeIndex) => route.route?.forEach(({ destination }, index) => {
      const host = resolveHost(destination.host, service.metadata.namespace);
      const at = ["spec", "http", routeIndex, "route", index, "destination"];
      if (destination.subset !== undefined && subsets.get(host)?.has(destination.subset) !== true) {
        found.push(warning(service, [...at, "subset"], `no DestinationRule of ${host} has a subset ${destination.subset}`));
      }
    }));
  }
  return found;
}

/** For sidecars VirtualServices of one host do not merge: the oldest counts. */
function analyzeRivals(world: World): readonly Violation[] {
  const owners = new Map<string, MeshObject<"VirtualService">>();
  const found: Violation[] = [];
  for (const service of world.list("VirtualService")) {
    const { gateways = [], hosts } = service.spec;
    if (gateways.length > 0 && !gateways.includes("mesh")) continue;
    hosts.forEach((text, index) => {
      const key = `${service.metadata.namespace} ${resolveHost(text, service.metadata.namespace)}`;
      const owner = owners.get(key);
      if (owner === undefined) owners.set(key, service);
      else found.push(warning(service, ["spec", "hosts", index], `has no effect on sidecars: ${objectKey(refOf(owner))} routes ${text} already, and is older`));
    });
  }
  return found;
}

function analyzeBindings(world: World): readonly Violation[] {
  const found: Violation[] = [];
  for (const binding of world.list("QuotaSpecBinding")) {
    const own = binding.metadata.namespace;
    binding.spec.quotaSpecs.forEach(({ name, namespace = own }, index) => {
      if (world.get("QuotaSpec", namespace, name) === undefined) found.push(warning(binding, ["spec", "quotaSpecs", index], `there is no QuotaSpec ${namespace}/${name}`));
    });
    binding.spec.services.forEach(({ name, namespace = own }, index) => {
      if (world.get("Service", namespace, name) === undefined) found.push(warning(binding, ["spec", "services", index], `there is no Service ${name}.${namespace}.svc.${CLUSTER_DOMAIN}`));
    });
  }
  return found;
}
