// Values out of JSON whose form nobody has vouched for.

/** Returns whether a value is a JSON object: no list, not null. */
export function isJsonObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
