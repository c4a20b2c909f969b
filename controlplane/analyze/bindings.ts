// What QuotaSpecBindings bind.
import { serviceHost } from "../model/hosts.ts";
import { analysisOf, type Flaw } from "./finding.ts";
import { isWorkloadNamed } from "./workloads.ts";

/** Returns bindings of quotas that are nowhere, or to services that are nowhere. */
export const analyzeBindings = analysisOf("QuotaSpecBinding", (world, { metadata: { namespace: own }, spec }) => [
  ...spec.quotaSpecs.flatMap(({ name, namespace = own }, index): readonly Flaw[] => {
    const key = `${namespace}/${name}`;
    if (world.get("QuotaSpec", namespace, name) !== undefined) return [];
    const path = ["spec", "quotaSpecs", index];
    return [{ path, message: `there is no QuotaSpec ${key}`, lacks: [`QuotaSpec/${key}`] }];
  }),
  ...spec.services.flatMap(({ name, namespace = own }, index): readonly Flaw[] => {
    // A service that was never declared still means the workload of that name (translate/resolve/quota.ts).
    if (world.get("Service", namespace, name) !== undefined || isWorkloadNamed(world, namespace, name)) return [];
    const path = ["spec", "services", index];
    const lacks = [`Service/${namespace}/${name}`];
    return [{ path, message: `there is no Service ${serviceHost(name, namespace)}`, lacks }];
  }),
]);
