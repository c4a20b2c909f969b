// Who may read which debug page: https://istio.io/latest/docs/reference/commands/pilot-discovery/ (debug over xDS),
// checklist "debug pages across namespaces".

/**
 * Who asks. `local`: over loopback, with a loopback host name. `workload`: proved by a credential, of this namespace.
 * `reader`: whom the cluster's rules let read this page.
 */
export type DebugCaller =
  | { readonly kind: "local" }
  | { readonly kind: "reader" }
  | { readonly kind: "workload"; readonly namespace: string };

/** What somebody sees: the whole mesh, or the proxies of one namespace. */
export type DebugScope = { readonly kind: "mesh" } | { readonly kind: "namespace"; readonly namespace: string };

/**
 * Returns the caller's scope: whoever is on this machine, may read by the cluster's rules or is in the root namespace sees all, others the proxies of their
 * own namespace.
 */
export function scopeOf(caller: DebugCaller, rootNamespace: string): DebugScope {
  if (caller.kind !== "workload" || caller.namespace === rootNamespace) return { kind: "mesh" };
  return { kind: "namespace", namespace: caller.namespace };
}
