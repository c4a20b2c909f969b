// What an object says, as one short text: two programs that read the same document agree on it.
import { createHash } from "node:crypto";
import type { MeshObject } from "./object.ts";

/**
 * Returns 16 hex digits over the object's kind, name, labels, annotations and spec; when it was made and where it
 * stands are no part of it.
 */
export function contentHash({ kind, apiVersion, metadata, spec }: MeshObject): string {
  const { name, namespace, labels, annotations } = metadata;
  return createHash("sha256")
    .update(canonical({ kind, apiVersion, name, namespace, labels, annotations, spec }))
    .digest("hex")
    .slice(0, 16);
}

/** JSON with sorted keys and without fields that are undefined. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const entries = Object.entries(value)
    .filter(([, inner]) => inner !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${canonical(inner)}`).join(",")}}`;
}
