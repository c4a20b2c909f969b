// Host names as mesh objects write them: short names, wildcards, namespace/host.

/** The DNS suffix of Kubernetes services. */
export const CLUSTER_DOMAIN = "cluster.local";

/** Returns the full name of a service, e.g. `reviews.default.svc.cluster.local`. */
export function serviceHost(name: string, namespace: string): string {
  return `${name}.${namespace}.svc.${CLUSTER_DOMAIN}`;
}

/**
 * Returns the host a resource in `namespace` means, in lower case: a name without dots is a service of that namespace,
 * also `*foo`; names with dots, `*` and IP addresses stand for themselves (as Istio's ResolveShortnameToFQDN).
 */
export function resolveHost(host: string, namespace: string): string {
  const lower = host.toLowerCase();
  if (lower === "*" || lower.includes(".") || lower.includes(":")) return lower;
  return serviceHost(lower, namespace);
}

/** Returns whether the host is `*` or begins with `*`. */
export function isWildcardHost(host: string): boolean {
  return host.startsWith("*");
}

/**
 * Returns whether `pattern` covers every name of `host` (both lower case, both possibly wildcards):
 * `*.foo.com` covers `a.foo.com` and `*.a.foo.com`, not `foo.com`.
 */
export function hostMatches(pattern: string, host: string): boolean {
  if (!isWildcardHost(pattern)) return pattern === host;
  if (pattern === "*") return true;
  const suffix = pattern.slice(1);
  const name = isWildcardHost(host) ? host.slice(1) : host;
  return name.endsWith(suffix) && (isWildcardHost(host) || name.length > suffix.length);
}

/** Returns whether some name is covered by both (either may be a wildcard). */
export function hostsOverlap(a: string, b: string): boolean {
  return hostMatches(a, b) || hostMatches(b, a);
}

/** Orders hosts from the most specific: exact names first, then longer wildcards, then by name; `*` is last. */
export function compareHostSpecificity(a: string, b: string): number {
  const wildA = isWildcardHost(a),
    wildB = isWildcardHost(b);
  if (wildA !== wildB) return wildA ? 1 : -1;
  return b.length - a.length || (a < b ? -1 : a > b ? 1 : 0);
}

/** Returns the most specific of `patterns` that covers `host`, or undefined. */
export function mostSpecificHost(host: string, patterns: Iterable<string>): string | undefined {
  let best: string | undefined;
  for (const pattern of patterns) {
    if (!hostMatches(pattern, host)) continue;
    if (best === undefined || compareHostSpecificity(pattern, best) < 0) best = pattern;
  }
  return best;
}

/** The two halves of `namespace/host`, as Sidecar egress and Gateway servers write them. */
export interface ScopedHost {
  /** A namespace, `*` any, `.` the resource's own, `~` none; undefined if only a host was written. */
  readonly namespace: string | undefined;
  readonly host: string;
}

/** Returns the halves of `namespace/host` or of a bare `host`. */
export function parseScopedHost(text: string): ScopedHost {
  const slash = text.indexOf("/");
  return slash < 0
    ? { namespace: undefined, host: text }
    : { namespace: text.slice(0, slash), host: text.slice(slash + 1) };
}

const LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
const NAME = new RegExp(`^${LABEL}(?:\\.${LABEL})*\\.?$`, "i");

/** Returns whether this is a DNS name (letters, digits, dashes, dots; at most 253 characters), without wildcard. */
export function isHostName(text: string): boolean {
  return text.length <= 253 && NAME.test(text);
}

/** Returns whether this is a DNS name, `*`, or a DNS name whose first label is (or begins with) `*`. */
export function isHostPattern(text: string): boolean {
  if (text === "*") return true;
  return text.startsWith("*") ? isHostName(text.slice(/^\*[.-]/.test(text) ? 2 : 1)) : isHostName(text);
}
