// consumes: the policies and limits before a workload, and its engine
// produces: the filters that enforce them: Wasm filters, or Envoy's own and Wasm filters for what those cannot do
// never does: lose a policy between two engines
import type { World } from "../../world/world.ts";
import type { AuthorizationAction } from "../ir/authorization.ts";
import type { HttpFilters, NativeGuard, WasmFilter } from "../ir/filters.ts";
import type { ProxyClass } from "../ir/proxy-class.ts";
import { authorizationConfiguration, resolveAuthorization } from "./authorization-policy.ts";
import { builtinFilter } from "./builtin-filter.ts";
import { engineOf } from "./engine.ts";
import type { Inputs } from "./modules.ts";
import { splitAuthorization } from "./native-authorization.ts";
import { splitRateLimits } from "./native-rate-limit.ts";
import { rateLimitConfiguration, resolveRateLimits } from "./rate-limit.ts";

type Guards = Pick<HttpFilters, "nativeAuthorization" | "authorization" | "nativeRateLimit" | "rateLimit">;

/**
 * Returns the guards of what comes in. Places do not depend on what there is to do, only on the engine: a native one
 * has a place for each action, and those of the Wasm filters for what stays there.
 */
export function resolveGuards(inputs: Inputs, proxy: ProxyClass): Guards {
  const { world } = inputs;
  const { failStrategies } = world.mesh;
  const { native, policies, limits } = split(world, proxy);
  return {
    ...native,
    authorization: builtinFilter(
      inputs,
      "authz",
      "scrim.authz",
      policies.length > 0 ? authorizationConfiguration(policies) : undefined,
      failStrategies.authorization,
    ),
    rateLimit: builtinFilter(
      inputs,
      "ratelimit",
      "scrim.ratelimit",
      limits.limits.length > 0 ? rateLimitConfiguration(limits) : undefined,
      failStrategies.rateLimit,
    ),
  };
}

/** Returns what was asked of Envoy's own filters and stays in the Wasm ones, one sentence each. */
export function resolveGuardNotes(world: World, proxy: ProxyClass): readonly string[] {
  return split(world, proxy).notes;
}

const ACTIONS: readonly AuthorizationAction[] = ["AUDIT", "DENY", "ALLOW"];

function split(world: World, proxy: ProxyClass) {
  const policies = resolveAuthorization(world, proxy);
  const limits = resolveRateLimits(world, proxy);
  if (engineOf(world, proxy) === "wasm") return { native: {}, policies, limits, notes: [] };
  const authorization = splitAuthorization(policies);
  const rateLimit = splitRateLimits(limits);
  const native: Pick<Guards, "nativeAuthorization" | "nativeRateLimit"> = {
    nativeAuthorization: ACTIONS.map((action) =>
      nativeFilter(`scrim.authz.${action.toLowerCase()}`, {
        kind: "authorization",
        action,
        policies: authorization.native.filter((policy) => policy.action === action),
      }),
    ),
    nativeRateLimit: nativeFilter("scrim.ratelimit.local", { kind: "rateLimit", limits: rateLimit.native }),
  };
  return {
    native,
    policies: authorization.wasm,
    limits: rateLimit.wasm,
    notes: [...authorization.notes, ...rateLimit.notes].sort(),
  };
}

function nativeFilter(name: string, guard: NativeGuard): WasmFilter {
  return {
    name,
    module: { kind: "native", guard },
    configuration: "",
    vmId: "",
    rootId: "",
    environment: {},
    hostEnvironment: [],
    failureMode: "closed",
  };
}
