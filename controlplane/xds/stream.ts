// A proxy's stream as the server sees it, and what the stream asks of the server.
import type { status as GrpcStatus } from "@grpc/grpc-js";
import type { Node } from "../../protos/build/envoy.ts";
import type { Failure } from "../model/failure.ts";
import type { EncodedMap, EncodedResource, EncodedResources } from "../snapshot/encode.ts";
import type { ResourceKind } from "../snapshot/resources.ts";
import type { ResponseEncoder } from "./grpc/wire.ts";
import type { WriteBudget } from "./grpc/write-budget.ts";
import type { NodeProblem, Proxy, ProxyIdentity } from "./node.ts";
import type { ContentMaps, SendEffect, StreamKind } from "./state-machine/stream-events.ts";
import type { StreamState } from "./state-machine/stream-state.ts";

export interface XdsStream {
  /** Unique among the server's streams. */
  readonly id: string;
  readonly peer: string;
  readonly kind: StreamKind;
  /** Undefined before the first request. */
  readonly proxy: Proxy | undefined;
  readonly connectedAtMs: number;
  state(): StreamState;
  /** What the class publishes, before quarantine; undefined while the proxy is unknown to the mesh. */
  published: EncodedResources | undefined;
  /**
   * When the change was announced that this stream has not wholly acknowledged yet, and when something was sent last;
   * by the clock that never goes back.
   */
  changedAtMs: number | undefined;
  sentAtMs: number | undefined;
  /** The state of the mesh that `published` was made from or found unchanged in. */
  revision: number;
  setContent(maps: ContentMaps): void;
  /** Its client took these clusters on another stream, and now waits for their endpoints. */
  warm(clusters: readonly EncodedResource[]): void;
  /** What its client rejected for want of something on its machine is sent once more. */
  offerAgain(): void;
  end(code: GrpcStatus, details: string): void;
}

/** Who may be at the other end, as the port that the call came by knows it. */
export interface Caller {
  /** Proven by a credential; undefined on the plaintext port. */
  readonly identity: ProxyIdentity | undefined;
  readonly admit: (node: Node | undefined) => Proxy | Failure<NodeProblem>;
  readonly without: readonly ResourceKind[];
}

/** What a stream needs from the server around it. */
export interface StreamHost {
  readonly nowMs: () => number;
  /** A client that does not read for so long is dropped. */
  readonly stallMs: number;
  readonly budget: WriteBudget;
  readonly responses: ResponseEncoder;
  /** The proxy has said who it is; its content is asked for from now on. */
  admitted(stream: XdsStream): void;
  sent(stream: XdsStream, effect: SendEffect, bytes: number): void;
  accepted(stream: XdsStream, resources: Iterable<EncodedResource>): void;
  settled(stream: XdsStream, kind: ResourceKind, basis: EncodedMap): void;
  /** The proxy rejected a response; for the log, in which it stands already where that is known. */
  rejected(stream: XdsStream, typeUrl: string, reason: string, isKnown: boolean): void;
  /** It did because of this content. */
  culprit(stream: XdsStream, resource: EncodedResource, reason: string): void;
  stale(stream: XdsStream, typeUrl: string): void;
  /** Finds the contents that a proxy cannot load; none when that cannot be told. Never rejects. */
  examine(resources: readonly EncodedResource[], reason: string): Promise<readonly EncodedResource[]>;
  /** Answers a question about the control plane. Never rejects. */
  answer(typeUrl: string, names: readonly string[], asker: ProxyIdentity | undefined): Promise<Answer>;
  /** A bug of ours showed while this stream was served. */
  failed(stream: XdsStream, error: unknown): void;
  closed(stream: XdsStream): void;
}

/** The resources that answer a question (the bytes of an Any each), or why it is not answered. */
export type Answer =
  | { readonly kind: "answer"; readonly resources: readonly { readonly name: string; readonly bytes: Uint8Array }[] }
  | Failure<AnswerProblem>;

/** "busy": ask again later. */
export type AnswerProblem = "denied" | "malformed" | "busy" | "internal";
