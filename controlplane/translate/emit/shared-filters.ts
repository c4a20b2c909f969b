// Equal filters of a chain under one number, so that what is made of them is made once for all proxies that have them.
import type { HttpFilters } from "../ir/filters.ts";
import { interned } from "../../world/interned.ts";

/** Returns the content of what names filters, as text: of a module only its hash counts. */
export function withoutBytes(parts: object): string {
  return JSON.stringify(parts, (_key, value: unknown) =>
    typeof value === "object" && value !== null && "sha256" in value ? value.sha256 : value,
  );
}

/** Returns the same with a number for each chain's filters. */
export function withNumberedFilters(parts: object): string {
  return JSON.stringify(parts, (_key, value: unknown) => {
    if (typeof value !== "object" || value === null) return value;
    if (isFilters(value)) return numberOfFilters(value);
    return "sha256" in value ? value.sha256 : value;
  });
}

function isFilters(value: object): value is HttpFilters {
  return "pluginsAuthn" in value && "pluginsStats" in value;
}

const numbered = interned(withoutBytes, (_filters: HttpFilters): { readonly number: number } => ({
  number: ++lastNumber,
}));
let lastNumber = 0;

/** Returns a number that equal filters share for as long as one of them is there; none is given twice. */
export function numberOfFilters(filters: HttpFilters): number {
  return numbered(filters).number;
}
