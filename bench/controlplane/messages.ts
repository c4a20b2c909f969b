// What the simulated proxies are told, and what they answer.

export interface ProxyClient {
  readonly nodeId: string;
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly token: string;
}

export type ToClients =
  /** Connect all of them at once. */
  | {
      readonly kind: "connect";
      readonly port: number;
      readonly rootPem: string;
      readonly serverName: string;
      readonly proxies: readonly ProxyClient[];
    }
  /** Tell when this resource arrives, at each. */
  | { readonly kind: "expect"; readonly resource: string };

export type FromClients =
  | { readonly kind: "armed" }
  | { readonly kind: "arrived"; readonly arrivals: Arrivals }
  | { readonly kind: "failed"; readonly reason: string };

/**
 * When each proxy had what was waited for, in milliseconds of the machine's monotonic clock, and the bytes of all gRPC
 * messages until then.
 */
export interface Arrivals {
  readonly atMs: readonly number[];
  readonly bytes: number;
}
