import type { StructuralSchema } from "./structural-schema.ts";

/** Parts of a traffic policy under the names that validate/aliases.ts rewrites: the API server would drop them. */
const ofTrafficPolicy = {
  connectionPoolSettings: deprecated("connectionPool"),
  httpCircuitBreaker: deprecated("outlierDetection and connectionPool"),
};

/** Returns the fields that are taken at the end of this path though no schema knows them. */
export function deprecatedFields(path: readonly string[]): Readonly<Record<string, StructuralSchema>> {
  return ["trafficPolicy", "portLevelSettings"].includes(path.at(-1) ?? "") ? ofTrafficPolicy : {};
}

function deprecated(instead: string): StructuralSchema {
  return {
    type: "object",
    description: `Deprecated: ${instead}.`,
    "x-kubernetes-preserve-unknown-fields": true,
  };
}
