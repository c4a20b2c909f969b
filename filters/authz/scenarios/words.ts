// What tables of an authorization policy's fields are written in.
import type { Exchange, FilterMetadata } from "proxy-wasm-host";

/** Somebody who calls. */
export const ORDERS = "spiffe://cluster.local/ns/shop/sa/orders";

/** A request of theirs. */
export const orders = { peer: { identity: ORDERS } };

/**
 * A request, and whether the rule matches it: as one that lets in, and as one that keeps out (which counts every way a
 * request can be read).
 */
export type Case = readonly [request: Omit<Exchange, "expect">, letsIn: boolean, keepsOut?: boolean];

/** One field of a rule, with requests. */
export interface Field {
  readonly name: string;
  readonly rule: object;
  /**
   * Envoy's RBAC could not tell: the control plane leaves the policy in the Wasm filter. `ALLOW` or `DENY`: only such a
   * policy.
   */
  readonly wasmOnly?: "ALLOW" | "DENY";
  readonly cases: readonly Case[];
}

/** A field of an operation. */
export const to = (name: string, operation: object, cases: readonly Case[]): Field => ({
  name,
  rule: { to: [operation] },
  cases,
});

/** A condition. */
export const when = (key: string, condition: object, cases: readonly Case[], wasmOnly?: Field["wasmOnly"]): Field => ({
  name: `${key} ${JSON.stringify(condition)}`,
  rule: { when: [{ key, ...condition }] },
  cases,
  ...(wasmOnly && { wasmOnly }),
});

/** A request for a path. */
export const path = (text: string): Omit<Exchange, "expect"> => ({ name: text, path: text });

/** A request with a verified token. */
export const token = (payload: FilterMetadata[string]): Omit<Exchange, "expect"> => ({
  name: JSON.stringify(payload),
  metadata: { "envoy.filters.http.jwt_authn": { payload } },
});

/** A request from an address. */
export const address = (text: string): Omit<Exchange, "expect"> => ({ name: text, peer: { address: text } });

/** Requests that match in every reading, and ones that match in none. */
export const both = (
  matching: readonly Omit<Exchange, "expect">[],
  others: readonly Omit<Exchange, "expect">[],
): readonly Case[] => [...matching.map((one): Case => [one, true]), ...others.map((one): Case => [one, false])];
