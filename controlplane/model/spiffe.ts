// SPIFFE identities of workloads: spiffe://<trust domain>/ns/<namespace>/sa/<service account>.

declare const spiffeIdBrand: unique symbol;
/** A well-formed workload identity with its scheme. */
export type SpiffeId = string & { readonly [spiffeIdBrand]: true };

/** The parts of a workload identity. */
export interface WorkloadIdentity {
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** Longest SPIFFE id allowed (SPIFFE-ID §2.3), in bytes; every allowed character is one byte. */
const MAX_LENGTH = 2_048;
const TRUST_DOMAIN = /^[a-z0-9][a-z0-9._-]{0,254}$/;
const NAMESPACE = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const SERVICE_ACCOUNT = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;
const URI = /^spiffe:\/\/([^/]+)\/ns\/([^/]+)\/sa\/([^/]+)$/;

/**
 * Returns whether this is a trust domain: lower case letters, digits, dots, dashes, underscores; no port, no `..`. A dot
 * at the end, as of a full domain name, is part of it.
 */
export function isTrustDomain(text: string): boolean {
  return TRUST_DOMAIN.test(text) && !text.includes("..");
}

/**
 * Returns the identity of a workload. Throws RangeError if a part could not stand in one: callers pass validated names.
 */
export function spiffeId(trustDomain: string, namespace: string, serviceAccount: string): SpiffeId {
  const identity = identityOf(trustDomain, namespace, serviceAccount);
  if (identity === undefined)
    throw new RangeError(`no SPIFFE id can be made of ${JSON.stringify({ trustDomain, namespace, serviceAccount })}`);
  return identity;
}

/** Returns the identity, or undefined where names could not stand in one. */
export function identityOf(trustDomain: string, namespace: string, serviceAccount: string): SpiffeId | undefined {
  const parsed = parseSpiffeId(`spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`);
  return parsed && formatSpiffeId(parsed);
}

/**
 * Returns the parts of `spiffe://<trust domain>/ns/<ns>/sa/<sa>`; undefined for anything else, in particular for `%`,
 * `..`, empty segments, ports, queries, fragments and names over 2,048 bytes.
 */
export function parseSpiffeId(text: string): WorkloadIdentity | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const [, trustDomain, namespace, serviceAccount] = URI.exec(text) ?? [];
  if (trustDomain === undefined || namespace === undefined || serviceAccount === undefined) return undefined;
  if (!isTrustDomain(trustDomain) || !NAMESPACE.test(namespace)) return undefined;
  if (!SERVICE_ACCOUNT.test(serviceAccount) || serviceAccount.includes("..")) return undefined;
  return { trustDomain, namespace, serviceAccount };
}

/** Returns the id without its scheme, as AuthorizationPolicy principals and metric labels write it. */
export function principalOf(id: SpiffeId): string {
  return id.slice("spiffe://".length);
}

function formatSpiffeId(identity: WorkloadIdentity): SpiffeId {
  return `spiffe://${identity.trustDomain}/ns/${identity.namespace}/sa/${identity.serviceAccount}` as SpiffeId;
}
