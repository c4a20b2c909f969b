import type { SocketAddress } from "../model/socket-address.ts";
import type { CaptureMode } from "../pods/annotations.ts";
import type { ProxySettings } from "../pods/proxy-settings.ts";
import type { ListenPort } from "../pods/listen-port.ts";

/** What is fixed for the life of a local pod, except a router's ports, which follow its Gateways. */
export interface PodRecord {
  readonly kind: "sidecar" | "router";
  readonly name: string;
  readonly namespace: string;
  readonly workload: string;
  readonly ordinal: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Of its template. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly serviceAccount: string;
  readonly templateHash: string;
  readonly ip: string;
  /** Its addresses of another family. */
  readonly moreIps?: readonly string[] | undefined;
  /** Where this machine reaches its Envoy's admin page. */
  readonly admin: SocketAddress;
  /** How the kernel brings its connections to its sidecar; undefined: programs are told of it. */
  readonly capture?: CaptureMode | undefined;
  /** What its Envoy is started with, beside what all are. */
  readonly proxySettings?: ProxySettings | undefined;
  readonly ports: readonly ListenPort[];
  /** Random, 256 bits, hex: proves the pod's identity to the control plane. */
  readonly token: string;
}

/**
 * Returns a pod's name, as in `reviews-v1-0-x2b9f`: workload, ordinal, and a suffix that no earlier pod had; without
 * one, a name that stays.
 */
export function podName(workload: string, ordinal: number, suffix: string | undefined): string {
  return suffix === undefined ? `${workload}-${ordinal}` : `${workload}-${ordinal}-${suffix}`;
}

/** Returns the lowest ordinals that are not in use. */
export function freeOrdinals(used: ReadonlySet<number>, count: number): number[] {
  const free: number[] = [];
  for (let ordinal = 0; free.length < count; ordinal++) if (!used.has(ordinal)) free.push(ordinal);
  return free;
}
