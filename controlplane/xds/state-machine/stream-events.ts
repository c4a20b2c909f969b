// What a stream is told and what it wants done: the words of its state machine.
import type { EncodedMap, EncodedResource } from "../../snapshot/encode.ts";
import type { ResourceKind } from "../../snapshot/resources.ts";
import type { Examination } from "../rejections/nack.ts";
import type { Dialect } from "./type-state.ts";

export type ContentMaps = Readonly<Record<ResourceKind, EncodedMap>>;

/** A DeltaDiscoveryRequest or DiscoveryRequest with everything present. */
export type StreamRequest = RequestNames & {
  readonly typeUrl: string;
  readonly nonce: string;
  /** Set in a NACK. */
  readonly error: string | undefined;
};

export type RequestNames =
  | {
      readonly dialect: "delta";
      readonly subscribe: readonly string[];
      readonly unsubscribe: readonly string[];
      readonly initialVersions: Readonly<Record<string, string>>;
    }
  /** `version` is what the client says it has; it counts in the first request of a type only. */
  | { readonly dialect: "sotw"; readonly names: readonly string[]; readonly version: string };

export type StreamEvent =
  | { readonly kind: "request"; readonly request: StreamRequest; readonly nowMs: number }
  | { readonly kind: "content"; readonly maps: ContentMaps; readonly nowMs: number }
  /** The socket's buffer is full, or has room again. */
  | { readonly kind: "pressure"; readonly isFull: boolean; readonly nowMs: number }
  /** The time after a `wait` effect is over. */
  | { readonly kind: "waited"; readonly nowMs: number }
  /** What the client's machine lacked may be there by now. */
  | { readonly kind: "again"; readonly nowMs: number }
  /** The answer to an `examine` effect. */
  | {
      readonly kind: "examined";
      readonly typeUrl: string;
      readonly examination: Examination;
      readonly reason: string;
      readonly nowMs: number;
    }
  /** The answer to an `ask` effect. */
  | {
      readonly kind: "told";
      readonly typeUrl: string;
      readonly resources: readonly WireResource[];
      readonly nowMs: number;
    }
  /** The client took these clusters on another stream: they warm until their endpoints are sent on this one. */
  | { readonly kind: "warming"; readonly clusters: readonly EncodedResource[]; readonly nowMs: number };

/** What a response needs of a resource. */
export type WireResource = Pick<EncodedResource, "name" | "version" | "bytes">;

export interface SendEffect {
  readonly kind: "send";
  readonly typeUrl: string;
  readonly nonce: string;
  /** State of the world only: the version_info. */
  readonly version: string;
  readonly updates: readonly WireResource[];
  /** Delta only: what the class has, of which `updates` are some or all. */
  readonly basis?: EncodedMap;
  readonly removed: readonly string[];
  /**
   * Virtual hosts that were asked for by name and do not exist: resources without content. To a removal Envoy would
   * wait on with the request that needs the host.
   */
  readonly unresolved?: readonly string[];
}

export type StreamEffect =
  | SendEffect
  /** The client holds these now. */
  | { readonly kind: "accepted"; readonly resources: Iterable<EncodedResource> }
  /** The client rejected this content, and no other can be to blame. */
  | { readonly kind: "culprit"; readonly resource: EncodedResource; readonly reason: string }
  /** The client rejected something; for the log, as it said it. `isKnown`: it has said so before. */
  | { readonly kind: "rejected"; readonly typeUrl: string; readonly reason: string; readonly isKnown: boolean }
  /** One of these at least was rejected: find out which, and give an `examined` event. */
  | {
      readonly kind: "examine";
      readonly typeUrl: string;
      readonly resources: readonly EncodedResource[];
      readonly reason: string;
    }
  /** A question about the control plane itself (istio.io/debug and the like): give a `told` event. */
  | { readonly kind: "ask"; readonly typeUrl: string; readonly names: readonly string[] }
  /** The client holds all of a kind now as it is in `basis`, but for contents it rejected. */
  | { readonly kind: "settled"; readonly resourceKind: ResourceKind; readonly basis: EncodedMap }
  /** Give a `waited` event some seconds from now: a cluster's endpoints have not been asked for yet. */
  | { readonly kind: "wait" }
  /** An answer to a response that is no longer the last. */
  | { readonly kind: "stale"; readonly typeUrl: string }
  | { readonly kind: "close"; readonly message: string };

/** What a stream is for. */
export interface StreamKind {
  readonly dialect: Dialect;
  /** The one type of a stream that is not aggregated; a request need not name it. */
  readonly only: string | undefined;
  /** Kinds that do not exist on this stream, as secrets where nobody is authenticated. */
  readonly without: readonly ResourceKind[];
}

/** Delta ADS, with everything on it. */
export const DELTA_ADS: StreamKind = { dialect: "delta", only: undefined, without: [] };

/** Types with which istioctl asks the control plane about itself. */
export function isQuestion(typeUrl: string): boolean {
  return typeUrl.startsWith("istio.io/");
}
