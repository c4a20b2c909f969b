// What of Envoy's own stands in for the authorization and rate limit filters (engine: native).
import type { HttpRbac, TypedExtensionConfig } from "../../../protos/build/envoy.ts";
import { packAny } from "../../../protos/codec.ts";
import type { NativeGuard } from "../ir/filters.ts";
import { buildNativeRateLimit } from "./native-rate-limit.ts";
import { buildRbac } from "./rbac-rules.ts";

/** Returns the filter's configuration; of one with nothing to do, RBAC without rules, which looks at nothing. */
export function buildNativeGuard(guard: NativeGuard): TypedExtensionConfig["typedConfig"] {
  switch (guard.kind) {
    case "authorization":
      return packAny("HttpRbac", buildRbac(guard.action, guard.policies) satisfies HttpRbac);
    case "rateLimit":
      return guard.limits.length === 0
        ? packAny("HttpRbac", {})
        : packAny("LocalRateLimit", buildNativeRateLimit(guard.limits));
  }
}
