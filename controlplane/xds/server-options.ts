// What an xDS server is made with.
import type { Secret } from "../../protos/build/envoy.ts";
import type { EncodedResource, EncodedResources, ResourceEncoder } from "../snapshot/encode.ts";
import type { Authenticate } from "./authenticate.ts";
import type { PlaintextPort, SecurePort } from "./grpc/ports.ts";
import type { Proxy, ProxyIdentity } from "./node.ts";
import type { XdsObserver } from "./observer.ts";
import type { RejectedContent } from "./rejections/blame.ts";
import type { Risk } from "./rejections/canary.ts";
import type { Answer } from "./stream.ts";

export interface XdsServerOptions {
  /** Where proxies prove who they are; left out, there is no such port. */
  readonly secure?: SecurePort & { readonly authenticate: Authenticate };
  /**
   * On loopback, for whoever can reach it: no secrets, and a proxy is who its node says. Left out, there is no such
   * port.
   */
  readonly plaintext?: PlaintextPort;
  /**
   * What a proxy is served; the same object as before where nothing changed for its class. Undefined while the sources
   * have not synced or the mesh does not know the proxy: it then keeps what it has.
   */
  readonly resourcesFor: (proxy: Proxy) => EncodedResources | undefined;
  /**
   * The secrets this proxy may have, and no others: those of its identity and, for a gateway, its credentials. Asked
   * only for proxies that proved who they are.
   */
  readonly secretsFor?: (proxy: Proxy) => ReadonlyMap<string, Secret>;
  /** The state of the mesh that content is made from at present (World.revision), for the status. */
  readonly revision?: () => number;
  /**
   * Answers the `istio.io/…` types with which istioctl asks about the control plane; the bytes are an Any's. Access
   * control is its own affair.
   */
  readonly debugResources?: (
    typeUrl: string,
    names: readonly string[],
    asker: ProxyIdentity | undefined,
  ) => Answer | Promise<Answer>;
  /**
   * Finds which of these contents a proxy cannot load, where its rejection named none. Left out or without result, they
   * are tried on the proxy in ever smaller parts.
   */
  readonly examine?: (resources: readonly EncodedResource[], reason: string) => Promise<readonly EncodedResource[]>;
  /**
   * Whether an Envoy that serves nobody loads a content that one proxy rejected (and `good`, which was accepted before
   * it, to know that it can tell); undefined when it cannot. Left out, one proxy's rejection is its own until a second
   * one repeats it. `asker` is the pod that rejected it.
   */
  readonly judge?: (
    resource: EncodedResource,
    good: EncodedResource | undefined,
    asker: string,
  ) => Promise<boolean | undefined>;
  /** Called with the contents that are kept from every proxy, whenever they may be others. */
  readonly heldBack?: (contents: readonly RejectedContent[]) => void;
  /** What goes to one proxy, its canary, before the others get it. */
  readonly risk?: Risk;
  /** Said of ourselves in every response (control_plane.identifier). */
  readonly controlPlane?: string;
  readonly encoder: ResourceEncoder;
  readonly clock: { nowMs(): number; monotonicMs(): number };
  readonly log: Record<"info" | "warn" | "error", (fields: object, message: string) => void>;
  readonly observer?: XdsObserver;
  readonly limits?: Partial<XdsLimits>;
}

export interface XdsLimits {
  readonly streamsPerSecond: number;
  readonly streamBurst: number;
  /** Open streams of one pod, or of one connection on the plaintext port. */
  readonly streamsPerOrigin: number;
  /** Calls whose tokens are being looked at; those above come again. Nothing of them is read meanwhile. */
  readonly callsToProve: number;
  /** For how long one waits for that. */
  readonly proofMs: number;
  /**
   * How often a connection is asked whether it is still there, and for how long an answer is waited for: a machine that
   * vanished says no goodbye.
   */
  readonly keepaliveMs: number;
  readonly keepaliveTimeoutMs: number;
  /** A proxy that does not read for so long is dropped; its pending changes are one merged set all the while. */
  readonly stallMs: number;
  /** Give or take a tenth, so that proxies that came together do not come back together (grpc-js does so by itself). */
  readonly maxConnectionAgeMs: number;
  readonly maxConnectionAgeGraceMs: number;
  /** Bytes on their way to all clients together; what is above waits in the content, which all share. */
  readonly bytesUnderWay: number;
  /** How long a risky content is at its canary before the others get it without its word. */
  readonly canaryMs: number;
  /** How long a content that one proxy rejected is kept from the others while nobody has said whether it loads. */
  readonly judgementMs: number;
  /** How often what a proxy rejected for want of a file or a port of its machine is sent to it once more. */
  readonly offerAgainMs: number;
}

/** What holds where nothing else is said. */
export const DEFAULT_LIMITS: XdsLimits = {
  streamsPerSecond: 200,
  streamBurst: 200,
  streamsPerOrigin: 5_000,
  callsToProve: 10_000,
  proofMs: 10_000,
  keepaliveMs: 30_000,
  keepaliveTimeoutMs: 10_000,
  stallMs: 30_000,
  maxConnectionAgeMs: 30 * 60_000,
  maxConnectionAgeGraceMs: 5_000,
  bytesUnderWay: 32 * 1024 * 1024,
  canaryMs: 100,
  judgementMs: 5_000,
  offerAgainMs: 10_000,
};
