// Reads Envoy's /config_dump. Everything in it is optional: an unknown shape yields nothing, not an error.

export type Json = { readonly [name: string]: unknown };

/** Returns the value as an object; an empty one when it is none. */
export function asObject(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

/** Returns the value as a list of objects. */
export function asList(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.map(asObject) : [];
}

/** Returns the value as text; "" when it is none. */
export function asText(value: unknown): string {
  return typeof value === "string"
    ? value
    : typeof value === "number" || typeof value === "boolean"
      ? String(value)
      : "";
}

/** Follows field names from an object. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((current, name) => asObject(current)[name], value);
}

/**
 * Returns the section of a config dump whose type ends in `type`, as in `ClustersConfigDump`; all of them where Envoy
 * prints several.
 */
export function sections(dump: unknown, type: string): readonly Json[] {
  return asList(at(dump, "configs")).filter((section) => asText(section["@type"]).endsWith(`.${type}`));
}
