// Who may do what, as the authorization filter reads it: IR of policies that select a proxy.

/** Values as in Istio's AuthorizationPolicy: exact, `prefix*`, `*suffix`, `*`; principals without `spiffe://`. */
export interface AuthorizationSource {
  readonly principals?: readonly string[];
  readonly notPrincipals?: readonly string[];
  /** `<issuer>/<subject>` of a verified token */
  readonly requestPrincipals?: readonly string[];
  readonly notRequestPrincipals?: readonly string[];
  readonly namespaces?: readonly string[];
  readonly notNamespaces?: readonly string[];
  /** `<namespace>/<service account>` */
  readonly serviceAccounts?: readonly string[];
  readonly notServiceAccounts?: readonly string[];
  readonly ipBlocks?: readonly string[];
  readonly notIpBlocks?: readonly string[];
  readonly remoteIpBlocks?: readonly string[];
  readonly notRemoteIpBlocks?: readonly string[];
}

export interface AuthorizationOperation {
  readonly hosts?: readonly string[];
  readonly notHosts?: readonly string[];
  readonly ports?: readonly string[];
  readonly notPorts?: readonly string[];
  readonly methods?: readonly string[];
  readonly notMethods?: readonly string[];
  readonly paths?: readonly string[];
  readonly notPaths?: readonly string[];
}

export interface AuthorizationCondition {
  readonly key: string;
  readonly values?: readonly string[];
  readonly notValues?: readonly string[];
}

/** `from` entries are alternatives, so are `to` entries; all conditions of `when` must hold. */
export interface AuthorizationRule {
  readonly from?: readonly AuthorizationSource[];
  readonly to?: readonly AuthorizationOperation[];
  readonly when?: readonly AuthorizationCondition[];
}

export type AuthorizationAction = "ALLOW" | "DENY" | "AUDIT";

export interface Authorization {
  /** `<namespace>/<name>` of the policy. */
  readonly name: string;
  /** AUDIT only tells that it matches. */
  readonly action: AuthorizationAction;
  /** On trial: what an ALLOW or DENY would decide is told and has no effect. */
  readonly dryRun?: true;
  readonly rules: readonly AuthorizationRule[];
}
