import {
  DNS_PORT,
  READINESS_PORT,
  STATISTICS_PORT,
  VIRTUAL_INBOUND_PORT,
  VIRTUAL_OUTBOUND_PORT,
} from "../model/capture-ports.ts";
import type { CaptureMode } from "../pods/annotations.ts";
import type { CaptureScope } from "../pods/capture-scope.ts";

/** What of a pod's connections is captured, and by whom. */
export interface CaptureSettings extends CaptureScope {
  readonly mode: CaptureMode;
  /** Who the proxy runs as: what either of them sends is never captured, or it would come back to itself for ever. */
  readonly owner: { readonly uid: number; readonly gid: number };
  readonly proxy: ProxyPorts;
  /** Whose DNS (UDP) the proxy answers: questions to these servers, to any, or nobody's. */
  readonly dns: "none" | "all" | readonly string[];
}

/** Where the proxy listens for what is captured. */
export interface ProxyPorts {
  readonly outbound: number;
  readonly inbound: number;
  readonly dns: number;
  /** The proxy's own pages (readiness, statistics): they are reached as they are. */
  readonly pages: readonly number[];
}

/** Istio's: the uid and gid of the proxy, and its ports. */
export const PROXY_OWNER = { uid: 1337, gid: 1337 };
export const PROXY_PORTS: ProxyPorts = {
  outbound: VIRTUAL_OUTBOUND_PORT,
  inbound: VIRTUAL_INBOUND_PORT,
  dns: DNS_PORT,
  pages: [READINESS_PORT, STATISTICS_PORT],
};

/** Returns the settings under which everything is captured, except where `changes` say otherwise. */
export function captureSettings(changes: Partial<CaptureSettings> = {}): CaptureSettings {
  return {
    mode: "REDIRECT",
    owner: PROXY_OWNER,
    proxy: PROXY_PORTS,
    inbound: { ports: "all", exceptPorts: [] },
    outbound: { ranges: "all", exceptRanges: [], ports: [], exceptPorts: [] },
    dns: "all",
    exceptInterfaces: [],
    outboundInterfaces: [],
    ...changes,
  };
}
