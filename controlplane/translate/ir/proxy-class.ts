// What translation may know of a proxy: what it shares with all of its class, and what is its own. Proxies of one class
// get the same resources, except where one of their own addresses stands.
import type { SocketAddress } from "../../model/socket-address.ts";
import type { CaptureMode } from "../../pods/annotations.ts";
import { type ListenPort, reachedFromMachine } from "../../pods/listen-port.ts";

/** What the proxies of one workload's replicas have in common. */
export interface ProxyClass {
  readonly kind: "sidecar" | "router";
  readonly namespace: string;
  readonly workload: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ports: readonly ClassPort[];
  /** It is the workload's way out; sidecars only. */
  readonly goesOut: boolean;
  /** How connections come to it: undefined: by programs that know of it (the explicit-proxy listener). */
  readonly capture?: CaptureMode | undefined;
  /** The workload's own choice of what enforces policies; the mesh's where there is none. */
  readonly engine?: "wasm" | "native" | undefined;
  /** It proved nothing, and is given no certificate. */
  readonly identity?: "none" | undefined;
  /** The address of the one proxy in it: while a version of a plugin goes from proxy to proxy, each is a class. */
  readonly only?: string | undefined;
}

/** A port on which proxies of a class listen, each at an address of its own. */
export interface ClassPort {
  /** containerPort, or the Gateway's server port for routers. */
  readonly port: number;
  readonly name: string;
  /** The port that is opened, which filters see. */
  readonly boundPort: number;
  /** An application stands behind it; not so at gateways. */
  readonly isServed: boolean;
}

/** One proxy. */
export interface MeshProxy {
  readonly class: ProxyClass;
  /** Its pod's. */
  readonly address: string;
  /** What its pod has beside it: an address of the other family. */
  readonly moreAddresses?: readonly string[] | undefined;
  /** Where the ports of its class are. */
  readonly listens: readonly ListenPort[];
  /** The explicit-proxy listener; sidecars only. */
  readonly outbound?: SocketAddress | undefined;
}

const keys = new WeakMap<ProxyClass | MeshProxy, string>();

/**
 * Returns text that is equal exactly for equal classes, or proxies, whose fields stand in one order; made once per
 * object, which must not change.
 */
export function keyOf(one: ProxyClass | MeshProxy): string {
  let key = keys.get(one);
  if (key === undefined) keys.set(one, (key = JSON.stringify(one)));
  return key;
}

/** Returns the ports of a class whose proxies listen so. */
export function classPorts(listens: readonly ListenPort[]): readonly ClassPort[] {
  return listens.map((listen) => ({
    port: listen.port,
    name: listen.name,
    boundPort: reachedFromMachine(listen).port,
    isServed: listen.application !== undefined,
  }));
}
