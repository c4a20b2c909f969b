// What a VirtualService does to headers.
import type { HeaderOperationsSpec } from "../../model/kinds/virtual-service.ts";
import type { HeaderChanges } from "../ir/routes.ts";

/** Changes nothing. */
export const noHeaderChanges: HeaderChanges = { set: [], add: [], remove: [] };

/**
 * Returns header changes by name in lower case; a host among them is no header change but a rewrite, see authorityFrom.
 */
export function resolveHeaderChanges(spec: HeaderOperationsSpec["request"]): HeaderChanges {
  if (spec === undefined) return noHeaderChanges;
  return {
    set: pairs(spec.set),
    add: pairs(spec.add),
    remove: (spec.remove ?? []).filter((name) => !isAuthority(name)).map((name) => name.toLowerCase()),
  };
}

/** Returns the host that `headers.request.set` asks for: `:authority` or `Host`. */
export function authorityFrom(spec: HeaderOperationsSpec["request"]): string | undefined {
  return Object.entries(spec?.set ?? {}).find(([name]) => isAuthority(name))?.[1];
}

function isAuthority(name: string): boolean {
  const lower = name.toLowerCase();
  return lower === ":authority" || lower === "host";
}

function pairs(headers: Readonly<Record<string, string>> | undefined): readonly (readonly [string, string])[] {
  return Object.entries(headers ?? {})
    .filter(([name]) => !isAuthority(name))
    .map(([name, value]) => [name.toLowerCase(), value] as const)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}
