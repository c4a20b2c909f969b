// QuotaSpec and QuotaSpecBinding: the classic quota pair, turned into rate limits of the workloads behind the bound
// services.
import type { QuotaOverrideSpec, QuotaSpec, QuotaSpecSpec } from "../../model/kinds/quota.ts";
import { labelsMatch, selectsAll } from "../../model/labels.ts";
import type { MeshObject } from "../../model/object.ts";
import type { World } from "../../world/world.ts";
import type { ProxyClass } from "../ir/proxy-class.ts";
import type { LocalRateLimit, RateLimitOverride } from "../ir/rate-limit.ts";
import { intervalMs } from "./interval.ts";
import { principalsOfWorkload } from "./workload-identity.ts";

type QuotaProxy = Pick<ProxyClass, "namespace" | "labels" | "workload">;

/**
 * Returns the limits of the quotas whose binding names a service that the proxy's workload stands behind, each quota
 * once, bindings oldest first.
 */
export function resolveQuotas(world: World, proxy: QuotaProxy): readonly LocalRateLimit[] {
  const specs = new Set<MeshObject<"QuotaSpec">>();
  for (const binding of world.list("QuotaSpecBinding")) {
    const own = binding.metadata.namespace;
    if (!binding.spec.services.some((service) => standsBehind(world, proxy, service.namespace ?? own, service.name)))
      continue;
    for (const reference of binding.spec.quotaSpecs) {
      const spec = world.get("QuotaSpec", reference.namespace ?? own, reference.name);
      if (spec !== undefined) specs.add(spec);
    }
  }
  return [...specs].flatMap((spec) => limitsOf(world, spec, proxy));
}

/**
 * A service that was never declared still means the workload of that name: quotas are older than their users'
 * manifests.
 */
function standsBehind(world: World, proxy: QuotaProxy, namespace: string, service: string): boolean {
  if (namespace !== proxy.namespace) return false;
  const declared = world.get("Service", namespace, service);
  if (declared === undefined) return proxy.workload === service || proxy.labels["app"] === service;
  return !selectsAll(declared.spec.selector) && labelsMatch(declared.spec.selector, proxy.labels);
}

function limitsOf(world: World, spec: MeshObject<"QuotaSpec">, proxy: QuotaProxy): readonly LocalRateLimit[] {
  const { name, namespace } = spec.metadata;
  return spec.spec.rules
    .filter((rule) => ruleApplies(rule, proxy))
    .flatMap((rule) =>
      rule.quotas.map((quota) => limitOf(world, quota, `${namespace}/${name}/${quota.name}`, namespace)),
    );
}

function ruleApplies(rule: QuotaSpecSpec["rules"][number], proxy: QuotaProxy): boolean {
  return (
    rule.match === undefined ||
    rule.match.length === 0 ||
    rule.match.some((match) => labelsMatch(match.destination?.labels, proxy.labels))
  );
}

/**
 * The bucket holds maxAmount and regains it per interval. A charge that no bucket could ever hold is one that empties
 * it.
 */
function limitOf(world: World, quota: QuotaSpec, name: string, namespace: string): LocalRateLimit {
  const overrides = (quota.overrides ?? []).flatMap((override) => overrideOf(world, override, quota, namespace));
  const cost = Math.min(quota.charge ?? 1, quota.maxAmount, ...overrides.map((override) => override.burst));
  return {
    name,
    key: [],
    tokens: quota.maxAmount,
    intervalMs: intervalMs(quota.interval),
    burst: quota.maxAmount,
    overrides,
    ...(cost !== 1 && { cost }),
  };
}

/** Nobody of that name: no override, since an override is for identities and never for what a request claims. */
function overrideOf(
  world: World,
  override: QuotaOverrideSpec,
  quota: QuotaSpec,
  namespace: string,
): readonly RateLimitOverride[] {
  const principals = principalsOfWorkload(world, override.dimensions.source, namespace);
  if (principals.length === 0) return [];
  return [
    {
      name: override.dimensions.source,
      principals,
      tokens: override.maxAmount,
      intervalMs: intervalMs(override.interval ?? quota.interval),
      burst: override.maxAmount,
    },
  ];
}
