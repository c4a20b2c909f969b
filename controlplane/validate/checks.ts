// Small words that the checks of the kinds are written in.
import type { FieldPath } from "../model/document.ts";
import { isHostName, isHostPattern, isWildcardHost } from "../model/hosts.ts";
import { isIP } from "node:net";
import { dnsLabelFault } from "./names.ts";
import { quote } from "./formats.ts";
import type { Findings } from "./violation.ts";

/**
 * A spec whose shape may be partly wrong: what did not fit is missing. Checks of meaning work on this, so that all
 * findings about an object come at once.
 */
export type Loose<T> = T extends readonly (infer E)[]
  ? readonly (Loose<E> | undefined)[]
  : T extends object
    ? { readonly [P in keyof T]?: Loose<T[P]> }
    : T;

/** What a check of a kind may need to know of the object beside its spec. */
export interface CheckContext {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** It is an object of a cluster, not of a file: the control plane's disk is nothing to it. */
  readonly isOfCluster: boolean;
}

/** Checks what the fields of one kind mean together. Paths begin with the kind's payload. */
export type KindCheck<S> = (spec: Loose<S>, at: FieldPath, findings: Findings, context: CheckContext) => void;

/** Calls `visit` for each item that is there, with its path. */
export function each<T>(
  list: readonly (T | undefined)[] | undefined,
  at: FieldPath,
  visit: (item: T, at: FieldPath, index: number) => void,
): void {
  list?.forEach((item, index) => {
    if (item !== undefined) visit(item, [...at, index], index);
  });
}

/** Calls `visit` for each entry that is there, with its path. */
export function eachEntry<T>(
  map: Readonly<Record<string, T | undefined>> | undefined,
  at: FieldPath,
  visit: (key: string, value: T, at: FieldPath) => void,
): void {
  for (const [key, value] of Object.entries(map ?? {})) {
    if (value !== undefined) visit(key, value, [...at, key]);
  }
}

/** Reports a fault if there is one. */
export function report(findings: Findings, at: FieldPath, fault: string | undefined): void {
  if (fault !== undefined) findings.error(at, fault);
}

/** Reports items that say the same as an earlier one. */
export function noDuplicates<T>(
  list: readonly (T | undefined)[] | undefined,
  at: FieldPath,
  keyOf: (item: T) => string | number | undefined,
  what: string,
  findings: Findings,
  field: FieldPath = [],
): void {
  const seen = new Set<string | number>();
  each(list, at, (item, path) => {
    const key = keyOf(item);
    if (key === undefined) return;
    if (seen.has(key)) findings.error([...path, ...field], `${what} ${quote(key)} is given twice`);
    seen.add(key);
  });
}

/** Checks a list of namespaces to export to; `own` is the object's. */
export function checkExportTo(
  list: readonly (string | undefined)[] | undefined,
  at: FieldPath,
  findings: Findings,
  own: string,
): void {
  each(list, at, (entry, path) => {
    if (entry === "*" && (list?.length ?? 0) > 1) findings.error(path, "* cannot stand beside other namespaces");
    if (!["*", ".", "~"].includes(entry)) report(findings, path, dnsLabelFault(entry));
  });
  noDuplicates(list, at, (entry) => (entry === "." ? own : entry), "namespace", findings);
}

/** Returns what is wrong with a host that may be a wildcard. */
export function hostPatternFault(host: string): string | undefined {
  if (isHostPattern(host) || isIP(host) !== 0) return undefined;
  if (host.includes("/")) return `must be a host without a namespace or path, not ${quote(host)}`;
  if (host.includes("*")) return `can have * only as its first label, not ${quote(host)}`;
  if (/:\d+$/.test(host)) return `must be a host without a port, not ${quote(host)}`;
  return `is not a host name: ${quote(host)}`;
}

/** What sidecars ask for by TLS: port, subset and host of a destination, as in `outbound_.80_.v1_.reviews.default`. */
const MESH_SERVER_NAME = /^outbound_\.\d{1,5}_\.[A-Za-z0-9-]*_\.(.+)$/;

/** Returns what is wrong with a name that TLS asks a gateway for: a host's, or one by which sidecars ask. */
export function serverNameFault(name: string): string | undefined {
  return hostPatternFault(MESH_SERVER_NAME.exec(name)?.[1] ?? name);
}

/** Returns what is wrong with the name of a Gateway: `name` or `namespace/name`. */
export function gatewayNameFault(text: string): string | undefined {
  const [first = "", second, ...rest] = text.split("/");
  if (rest.length > 0) return `must be name or namespace/name, not ${quote(text)}`;
  if (second === undefined) return exactHostFault(first);
  return (first === "." ? undefined : dnsLabelFault(first)) ?? exactHostFault(second);
}

/** Returns what is wrong with the host of one destination. */
export function exactHostFault(host: string): string | undefined {
  if (isWildcardHost(host)) return `must be one host, not the wildcard ${quote(host)}`;
  return isHostName(host) || isIP(host) !== 0
    ? undefined
    : (hostPatternFault(host) ?? `is not a host name: ${quote(host)}`);
}

/** Returns what is wrong with `namespace/host`; `namespaces` are the special words allowed in place of a namespace. */
export function scopedHostFault(
  text: string,
  namespaces: readonly string[],
  needsNamespace: boolean,
): string | undefined {
  const slash = text.indexOf("/");
  if (slash < 0)
    return needsNamespace
      ? `must be namespace/host, like "./*" or "*/${text}", not ${quote(text)}`
      : hostPatternFault(text);
  const namespace = text.slice(0, slash);
  return (
    (namespaces.includes(namespace) ? undefined : dnsLabelFault(namespace)) ?? hostPatternFault(text.slice(slash + 1))
  );
}
