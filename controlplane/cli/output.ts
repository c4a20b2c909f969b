import { stringify } from "yaml";

/**
 * Returns rows as kubectl prints them: columns as wide as their widest cell, three spaces apart, no lines; nothing
 * after the last.
 */
export function renderTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  return all
    .map(
      (row) =>
        `${header
          .map((_, column) => (row[column] ?? "").padEnd(widths[column] ?? 0))
          .join("   ")
          .trimEnd()}\n`,
    )
    .join("");
}

export type OutputFormat = "table" | "json" | "yaml";

/** Returns a value as JSON (two spaces) or YAML, in which kubectl (YAML 1.1) takes no text for anything else: "yes". */
export function renderValue(value: unknown, format: "json" | "yaml"): string {
  return format === "json"
    ? `${JSON.stringify(value, undefined, 2)}\n`
    : stringify(value, { lineWidth: 0, aliasDuplicateObjects: false, compat: "yaml-1.1" });
}
