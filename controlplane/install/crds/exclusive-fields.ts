import type { StructuralSchema } from "./structural-schema.ts";

/**
 * The API server estimates what a rule costs at most, and takes a definition only up to a limit: this many values may
 * have a rule in CEL. It is a tenth of the limit for a dozen fields.
 */
const MOST_RULES = 30_000;

/**
 * Returns what says that of these fields at most one may be set, or exactly one where one is `required`, of an object
 * that there are `count` of at most: rules with a sentence of ours where they are cheap enough, else plain schemas.
 */
export function exclusiveFields(names: readonly string[], required: boolean, count: number): StructuralSchema {
  if (count > MOST_RULES) return plainly(names, required);
  const set = names.map((name) => `has(self.${name})`);
  return {
    "x-kubernetes-validations": [
      {
        rule: `${set.map((has) => `(${has} ? 1 : 0)`).join(" + ")} <= 1`,
        message: `only one of ${names.join(", ")} can be set`,
      },
      ...(required ? [{ rule: set.join(" || "), message: `one of ${names.join(", ")} is required` }] : []),
    ],
  };
}

function plainly(names: readonly string[], required: boolean): StructuralSchema {
  const each = names.map((name) => ({ required: [name] }));
  return { oneOf: required ? each : [{ not: { anyOf: each } }, ...each] };
}
