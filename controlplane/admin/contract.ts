// What the control plane shows to its admin server, and what the admin server answers to the CLI and to the runner of
// `scrim up`.
import type { ResourceShortName } from "../snapshot/type-urls.ts";
import type { StoreViolation } from "../store/objects-in-force.ts";
import type { Protection } from "../store/protection.ts";
import type { World } from "../world/world.ts";
import type { ConnectedProxy } from "../xds/server.ts";
import type { SyncState } from "../xds/status/type-status.ts";

export type { Rejection, SyncState } from "../xds/status/type-status.ts";

/** The resource types proxy-status speaks of, in its order. */
export const syncTypes: readonly ResourceShortName[] = ["cds", "lds", "eds", "rds", "vhds", "ecds", "sds"];

/** A connected proxy, as far as the answers need it, and how far it is in sync. */
export interface ProxySync
  extends Pick<ConnectedProxy, "nodeId" | "pod" | "namespace" | "envoyVersion" | "rejections"> {
  /** `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`, by its credential. */
  readonly identity: string;
  readonly sync: Readonly<Record<ResourceShortName, SyncState>>;
}

/** What the admin server asks the control plane. Every method is cheap: called on each request. */
export interface ControlPlaneView {
  /** True once xDS is served from complete sources. */
  isReady(): boolean;
  /** The state of the mesh that the published configuration was made from; undefined before the first. */
  world(): World | undefined;
  /** True from the acceptance of a change until its configuration is published (streams then show it as STALE). */
  hasUnpublishedChange(): boolean;
  proxies(): readonly ProxySync[];
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
  /** Resolves when the xDS and admin ports are open; throws a ScrimError with a sentence for the user. */
  start(): Promise<void>;
  /** Ends every stream and listener; resolves when nothing is left running. */
  stop(): Promise<void>;
  readonly view: ControlPlaneView;
}

/** An entry of GET /debug/proxies, which is what `scrim proxy-status -o json` prints. */
export interface ProxyStatus
  extends Pick<ConnectedProxy, "kind" | "namespace" | "envoyVersion" | "rejections">,
    Pick<ProxySync, "identity"> {
  readonly name: string;
  readonly workload: string;
  /** The cluster that its mesh runs in: `local` under `scrim up`. */
  readonly cluster: string;
  readonly podIp: string;
  /** `host:port` of the explicit proxy listener; "" for routers. */
  readonly outbound: string;
  /** `host:port` of Envoy's admin page; "" when unknown. */
  readonly envoyAdmin: string;
  readonly pid: number | null;
  readonly ports: readonly { readonly port: number; readonly address: string }[];
  readonly sync: Readonly<Record<ResourceShortName, SyncState | "NOT CONNECTED">>;
  /** False while the workload does not answer, true for routers whose Envoy serves. */
  readonly ready: boolean;
  readonly terminating: boolean;
}

/** The answer of GET /synced: status 200 when `synced`, else 503. */
export interface SyncReport {
  /** Nobody is waited for, and nothing that protects is not enforced. */
  readonly synced: boolean;
  readonly waiting: readonly { readonly who: string; readonly why: string }[];
  /** The objects whose protection is not enforced as they say it: the place, what is wrong, and what that means. */
  readonly unenforced: readonly { readonly object: string; readonly protection: Protection; readonly why: string }[];
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
