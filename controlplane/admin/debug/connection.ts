// One open xDS stream as the debug pages read it.
import type { JsonObject } from "../../../protos/build/envoy.ts";
import type { EncodedResource } from "../../snapshot/encode.ts";
import type { ResourceKind } from "../../snapshot/resources.ts";
import type { SyncState } from "../contract.ts";

/** What one stream knows of one kind of resource. */
export interface WatchedKind {
  /** Names asked for; empty for a wildcard, as Istio shows it. */
  readonly watched: readonly string[];
  readonly state: SyncState;
  /** Versions of the whole kind; undefined before the first. */
  readonly sent: string | undefined;
  readonly acked: string | undefined;
  /** When the proxy acknowledged last; milliseconds since 1970. */
  readonly ackedAtMs?: number | undefined;
  /** What it says of what it refuses now. */
  readonly error?: string | undefined;
}

export interface DebugConnection {
  readonly connectionId: string;
  readonly connectedAtMs: number;
  /** `host:port` of the client's end; "" when unknown. */
  readonly peerAddress: string;
  readonly nodeId: string;
  readonly pod: string;
  readonly namespace: string;
  /** As in `1.40.0`; "" when the proxy did not say. */
  readonly envoyVersion: string;
  readonly metadata: JsonObject;
  /** The kinds that were asked for. */
  readonly kinds: ReadonlyMap<ResourceKind, WatchedKind>;
  /** What the proxy was brought to, of one kind. Secrets are never among it. */
  readonly held: (kind: ResourceKind) => readonly EncodedResource[];
}

/**
 * Returns the connection that istioctl means by a proxy's id: the node id, `pod.namespace`, or a part of either;
 * undefined when there is none.
 */
export function findConnection(connections: readonly DebugConnection[], proxyId: string): DebugConnection | undefined {
  const exact = connections.find(
    ({ pod, namespace, nodeId }) => nodeId === proxyId || `${pod}.${namespace}` === proxyId,
  );
  return (
    exact ?? connections.find(({ nodeId, connectionId }) => nodeId.includes(proxyId) || connectionId.includes(proxyId))
  );
}
