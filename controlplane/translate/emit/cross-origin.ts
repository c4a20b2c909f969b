// What browsers of other origins may do, in Envoy's words.
import type { CorsPolicy } from "../../../protos/build/envoy.ts";
import type { CrossOrigin } from "../ir/routes.ts";
import { stringMatcher } from "./route-match.ts";

/** The filter whose per-route configuration this is; emit/http-chain.ts places it. */
export const CORS_FILTER = "envoy.filters.http.cors";

/** Returns the configuration of the CORS filter for one route. */
export function buildCrossOrigin(policy: CrossOrigin): CorsPolicy {
  return {
    ...(policy.origins.length > 0 && { allowOriginStringMatch: policy.origins.map(stringMatcher) }),
    ...(policy.methods !== "" && { allowMethods: policy.methods }),
    ...(policy.headers !== "" && { allowHeaders: policy.headers }),
    ...(policy.exposed !== "" && { exposeHeaders: policy.exposed }),
    ...(policy.maxAge !== undefined && { maxAge: String(policy.maxAge) }),
    ...(policy.credentials !== undefined && { allowCredentials: policy.credentials }),
    filterEnabled: { defaultValue: { numerator: 100, denominator: "HUNDRED" } },
    forwardNotMatchingPreflights: policy.forwardUnmatched,
  };
}
