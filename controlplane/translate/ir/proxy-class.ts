// What translation may know of a proxy. Proxies with equal classes get the same resources.
import type { SocketAddress } from "../../model/socket-address.ts";
import type { ListenPort } from "../../pods/listen-port.ts";

export interface ProxyClass {
  readonly kind: "sidecar" | "router";
  readonly namespace: string;
  readonly workload: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly podIp: string;
  readonly listens: readonly ListenPort[];
  /** The explicit-proxy listener; sidecars only. */
  readonly outbound?: SocketAddress;
  /** The workload's own choice of what enforces policies; the mesh's where there is none. */
  readonly engine?: "wasm" | "native";
  /** It proved nothing, and is given no certificate. */
  readonly identity?: "none";
}

const keys = new WeakMap<ProxyClass, string>();

/**
 * Returns text that is equal exactly for equal classes whose fields stand in one order; made once per object, which
 * must not change.
 */
export function classKeyOf(proxy: ProxyClass): string {
  let key = keys.get(proxy);
  if (key === undefined) keys.set(proxy, (key = JSON.stringify(proxy)));
  return key;
}
