// A route's corsPolicy in the IR's words.
import type { CorsPolicySpec } from "../../model/kinds/virtual-service.ts";
import type { CrossOrigin, PathMatch } from "../ir/routes.ts";
import { stringMatch } from "./request-match.ts";
import { durationMs } from "./traffic-policy.ts";

/**
 * Returns what browsers of other origins may do on a route; undefined where it says nothing of them. Preflight requests
 * of origins that are not named go on, unless the policy is to ignore them.
 * https://istio.io/latest/docs/reference/config/networking/virtual-service/#CorsPolicy
 */
export function resolveCrossOrigin(spec: CorsPolicySpec | undefined): CrossOrigin | undefined {
  if (spec === undefined) return undefined;
  const maxAgeMs = durationMs(spec.maxAge);
  return {
    origins: originsOf(spec),
    methods: (spec.allowMethods ?? []).join(","),
    headers: (spec.allowHeaders ?? []).join(","),
    exposed: (spec.exposeHeaders ?? []).join(","),
    ...(maxAgeMs !== undefined && { maxAge: Math.floor(maxAgeMs / 1_000) }),
    ...(spec.allowCredentials !== undefined && { credentials: spec.allowCredentials }),
    forwardUnmatched: spec.unmatchedPreflights !== "IGNORE",
  };
}

function originsOf({ allowOrigins, allowOrigin = [] }: CorsPolicySpec): readonly PathMatch[] {
  if (allowOrigins === undefined) return allowOrigin.map((value) => ({ kind: "exact", value }));
  return allowOrigins.map(stringMatch).filter((match) => match.kind !== "present");
}
