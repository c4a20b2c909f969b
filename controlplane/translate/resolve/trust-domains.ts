// The names of the mesh's trust domain: its own, and those that it had or takes for its own (trustDomainAliases).
import { identityOf, type SpiffeId } from "../../model/spiffe.ts";
import type { MeshConfig } from "../../world/world.ts";

/** Istio's word in policies for the mesh's own trust domain, whatever its name. */
const OWN = "cluster.local";

/** Returns them, its own first. */
export function trustDomainsOf({ trustDomain, trustDomainAliases }: MeshConfig): readonly string[] {
  return [...new Set([trustDomain, ...trustDomainAliases])];
}

/** Returns the identities of service accounts of a namespace, in each of the trust domains. */
export function accountIdentities(
  mesh: MeshConfig,
  namespace: string,
  accounts: readonly string[],
): readonly SpiffeId[] {
  return trustDomainsOf(mesh).flatMap((trustDomain) =>
    accounts.flatMap((account) => identityOf(trustDomain, namespace, account) ?? []),
  );
}

/**
 * Returns the principals of a policy with those of the mesh's own trust domain once for each of its names. One that is
 * no `<trust domain>/ns/<namespace>/sa/<account>`, or leaves the trust domain open, is left as it is.
 * https://istio.io/latest/docs/tasks/security/authorization/authz-td-migration/
 */
export function inEachTrustDomain(principals: readonly string[], mesh: MeshConfig): readonly string[] {
  const own = trustDomainsOf(mesh);
  const all = principals.flatMap((principal) => {
    const [named = "", ...path] = principal.split("/");
    if (path.length !== 4 || named === "*") return [principal];
    if (named !== OWN && !own.some((domain) => matches(named, domain))) return [principal];
    return own.map((domain) => (matches(named, domain) ? principal : [domain, ...path].join("/")));
  });
  return [...new Set(all)];
}

/** `*-td` is every trust domain that ends so. */
function matches(pattern: string, domain: string): boolean {
  return pattern.startsWith("*") ? domain.endsWith(pattern.slice(1)) : domain === pattern;
}
