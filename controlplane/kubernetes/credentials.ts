// What proves who asks an API server: read anew for each call, since tokens and certificates are replaced while they are
// in use.
import type { Agent } from "node:http";
import type { Failure } from "../model/failure.ts";

/** What a call is made with. */
export interface Credentials {
  readonly kind: "credentials";
  /** As in `https://10.96.0.1:443`, without a path's end. */
  readonly server: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsIdentity;
  /** Where a proxy leads to the server; it has the TLS identity in it. */
  readonly proxyAgent?: Agent;
}

/** Of TLS with the server: PEM. */
export interface TlsIdentity {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
  /** False where the kubeconfig says so. */
  readonly rejectUnauthorized?: boolean;
}

/** A way to an API server. */
export interface Access {
  /** As in ApiClient. */
  readonly namespace: string;
  credentials(): Promise<Credentials | Failure<"no-credentials">>;
  /** Forgets what is kept of credentials: the server took them no more. */
  renew(): void;
}
