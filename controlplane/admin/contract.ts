// What the control plane shows to its admin server, and what the admin server answers to the CLI and to the runner of
// `scrim up`.
import type { StoreViolation } from "../store/objects-in-force.ts";
import type { World } from "../world/world.ts";

/** The resource types proxy-status speaks of, in its order. */
export const syncTypes = ["cds", "lds", "eds", "rds", "vhds", "ecds", "sds"] as const;
export type SyncType = (typeof syncTypes)[number];

/**
 * SYNCED: everything sent was acknowledged and is current. STALE: sent, or about to be, and not acknowledged. NOT SENT:
 * asked for, nothing there. ERROR: the last answer was a rejection. IGNORED: the proxy did not ask for this type.
 */
export type SyncState = "SYNCED" | "STALE" | "NOT SENT" | "ERROR" | "IGNORED";

/** One proxy with an open stream, as the xDS server knows it. Identity comes from its credential. */
export interface ConnectedProxy {
  readonly nodeId: string;
  readonly pod: string;
  readonly namespace: string;
  /** `spiffe://<trust domain>/ns/<namespace>/sa/<service account>` */
  readonly identity: string;
  /** As in `1.40.0`; "" when the proxy did not say. */
  readonly envoyVersion: string;
  readonly sync: Readonly<Record<SyncType, SyncState>>;
  /** What the proxy rejected and is still quarantined. */
  readonly rejections: readonly Rejection[];
}

export interface Rejection {
  readonly type: SyncType;
  /** The culprits' resource names, where they are known. */
  readonly resources: readonly string[];
  readonly message: string;
  /**
   * "content": an Envoy that serves nobody cannot load it either; "repeated": two proxies rejected it and none has it
   * (both: kept from all). "proxy": it loads elsewhere; "unconfirmed": nobody else could tell (both: kept from this
   * proxy only). "examined": kept from all for a moment, until that is known.
   */
  readonly blame?: "examined" | "content" | "repeated" | "proxy" | "unconfirmed";
}

/** What the admin server asks the control plane. Every method is cheap: called on each request. */
export interface ControlPlaneView {
  /** True once xDS is served from complete sources. */
  isReady(): boolean;
  /** The state of the mesh that the published configuration was made from; undefined before the first. */
  world(): World | undefined;
  /** True from the acceptance of a change until its configuration is published (streams then show it as STALE). */
  hasUnpublishedChange(): boolean;
  proxies(): readonly ConnectedProxy[];
  /** The WasmPlugins (`namespace/name`) whose newest module or settings were not tried yet. */
  untriedPlugins(): readonly string[];
  /**
   * Why not every proxy has what a WasmPlugin (`namespace/name`) asks for, though they acknowledged all they were told:
   * its module cannot be had, is being rolled out, was taken back or would not load.
   */
  heldBack(plugin: string): string | undefined;
  /** Everything wrong now, of whatever stage. */
  violations(): readonly StoreViolation[];
}

/** The control plane as `scrim serve` runs it; made by `createControlPlane(settings, deps)` in main.ts. */
export interface ControlPlane {
  /** Resolves when the xDS and admin ports are open; rejects with a StartError that has a sentence for the user. */
  start(): Promise<void>;
  /** Ends every stream and listener; resolves when nothing is left running. */
  stop(): Promise<void>;
  readonly view: ControlPlaneView;
}

/** An entry of GET /debug/proxies, which is what `scrim proxy-status -o json` prints. */
export interface ProxyStatus {
  readonly name: string;
  readonly kind: "sidecar" | "router";
  readonly workload: string;
  readonly namespace: string;
  readonly identity: string;
  readonly podIp: string;
  /** `host:port` of the explicit proxy listener; "" for routers. */
  readonly outbound: string;
  /** `host:port` of Envoy's admin page; "" when unknown. */
  readonly envoyAdmin: string;
  readonly pid: number | null;
  readonly envoyVersion: string;
  readonly ports: readonly { readonly port: number; readonly address: string }[];
  readonly sync: Readonly<Record<SyncType, SyncState | "NOT CONNECTED">>;
  readonly rejections: readonly Rejection[];
  /** False while the workload does not answer, true for routers whose Envoy serves. */
  readonly ready: boolean;
  readonly terminating: boolean;
}

/** The answer of GET /synced: status 200 when `synced`, else 503. */
export interface SyncReport {
  readonly synced: boolean;
  readonly waiting: readonly { readonly who: string; readonly why: string }[];
  /** The revision of the runtime directory that the published configuration was made from; 0 without one. */
  readonly runtimeRevision: number;
  /**
   * True when every connected proxy has acknowledged the published configuration and nothing accepted is unpublished.
   */
  readonly acknowledged: boolean;
}

/** The answer of GET /debug/distribution?object=KIND/NAMESPACE/NAME. */
export interface Distribution {
  /** As in `VirtualService/default/reviews`. */
  readonly object: string;
  /** The content hash of what the mesh holds of it; absent when there is no such object. */
  readonly content?: string;
  /** Why its newest version is not accepted. */
  readonly problem?: string;
  /** Why proxies that acknowledged all they were told do not have what it says: only plugins are held back so. */
  readonly held?: string;
  /** True once nothing accepted waits for its publication. */
  readonly published: boolean;
  /** The proxies whose configuration depends on it, and how many of them acknowledged theirs. */
  readonly concerned: number;
  readonly reached: number;
  readonly waiting: readonly { readonly proxy: string; readonly why: string }[];
}
