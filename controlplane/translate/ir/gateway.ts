// What a gateway proxy opens: its ports, how connections are told apart there, and where each kind leads.
import type { Authorization } from "./authorization.ts";
import type { WeightedUpstream } from "./captured.ts";
import type { HttpFilters, PluginSlots, WasmFilter } from "./filters.ts";

/** One port of a gateway proxy. */
export interface GatewayPort {
  readonly port: number;
  /** No two take the same connections; all begin with TLS, or there is one, for plaintext. */
  readonly chains: readonly GatewayChain[];
  /** Of requests. */
  readonly filters: HttpFilters;
  /** Of all connections; undefined: nothing. */
  readonly networkPlugins?: PluginSlots | undefined;
  /** What stands before connections that are not HTTP, where some are led on. */
  readonly connections?: ConnectionFilters;
}

export interface ConnectionFilters {
  readonly telemetry: WasmFilter;
  /** What is left of the policies for the gateway without what only HTTP has; undefined: there are none. */
  readonly authorization?: readonly Authorization[];
}

/** One kind of connections, and where it leads. */
export interface GatewayChain {
  readonly name: string;
  /** Names that TLS asks for; empty: any; undefined: the chain is for plaintext. */
  readonly serverNames?: readonly string[];
  /** Only what sidecars send each other is taken (AUTO_PASSTHROUGH). */
  readonly onlyFromSidecars?: true;
  /** What TLS is ended with; undefined: it is passed on as it is. */
  readonly tls?: GatewayTls;
  readonly to: GatewayTarget;
}

export type GatewayTarget =
  | { readonly kind: "requests"; readonly routeTable: string }
  | {
      readonly kind: "connections";
      readonly targets: readonly WeightedUpstream[];
      /** A target is known for HTTP: its peer has to be told that something else comes. */
      readonly isHttpTarget: boolean;
    };

/** How the gateway ends TLS. */
export type GatewayTls =
  /** Mutual TLS of the mesh. */
  | { readonly kind: "mesh"; readonly identities: readonly string[] }
  | {
      readonly kind: "own";
      /** Names of the secrets with certificates and their keys. */
      readonly certificates: readonly string[];
      readonly clients?: ClientCertificates;
      readonly minVersion?: string;
      readonly maxVersion?: string;
      readonly cipherSuites: readonly string[];
      readonly curves: readonly string[];
    };

/** What is asked of clients' certificates. */
export interface ClientCertificates {
  /** Who has none is refused. */
  readonly required: boolean;
  /** Name of the secret with the authorities that sign them. */
  readonly authorities: string;
  /** Of these names (DNS, URI, e-mail, IP) a certificate must have one; empty: whichever it has. */
  readonly subjectAltNames: readonly string[];
  /** SHA-256 of their public keys, in base64; and of the certificates, in hexadecimal. Empty: any. */
  readonly keyHashes: readonly string[];
  readonly certificateHashes: readonly string[];
}
