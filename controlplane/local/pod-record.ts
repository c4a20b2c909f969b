import type { ContainerPort } from "./workload-plan.ts";

/** A port of a pod: where the mesh reaches it and where its process listens (`app` is absent for gateway proxies). */
export interface PodPort {
  readonly name: string | undefined;
  readonly port: number;
  readonly address: string;
  readonly app: { readonly address: string; readonly port: number } | undefined;
}

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
  readonly ports: readonly PodPort[];
  /** Random, 256 bits, hex: proves the pod's identity to the control plane. */
  readonly token: string;
}

/** Envoy's admin page and explicit-proxy listener stand on the same ports of every pod address. */
export const ENVOY_ADMIN_PORT = 15_000;
export const OUTBOUND_PORT = 15_001;

/** Returns a pod's name, as in `reviews-v1-0-x2b9f`: workload, ordinal, and a suffix that no earlier pod had. */
export function podName(workload: string, ordinal: number, suffix: string): string {
  return `${workload}-${ordinal}-${suffix}`;
}

/** Returns the lowest ordinals that are not in use. */
export function freeOrdinals(used: ReadonlySet<number>, count: number): number[] {
  const free: number[] = [];
  for (let ordinal = 0; free.length < count; ordinal++) if (!used.has(ordinal)) free.push(ordinal);
  return free;
}

/** Returns a sidecar pod's ports; `appPorts` holds one free port on 127.0.0.1 for each container port. */
export function sidecarPorts(ip: string, ports: readonly ContainerPort[], appPorts: readonly number[]): PodPort[] {
  return ports.map(({ name, port }, index) => ({
    name,
    port,
    address: `${ip}:${port}`,
    app: { address: "127.0.0.1", port: appPorts[index] ?? 0 },
  }));
}
