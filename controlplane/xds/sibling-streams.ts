// A client's clusters on one stream and its endpoints on another: neither stream knows of the other, and the client's
// clusters would warm for ever.
import type { EncodedResource } from "../snapshot/encode.ts";
import { kindOf, resourceTypes } from "../snapshot/type-urls.ts";
import type { Proxy } from "./node.ts";
import type { XdsStream } from "./stream.ts";

const CLUSTERS = resourceTypes.clusters.typeUrl;

/** Who only says that it is a node does not stand for one that proved it. */
function nodeKey({ node, isProven }: Proxy): string {
  return isProven ? node.id : `said/${node.id}`;
}

/**
 * Each node's streams: those that are for one type, and its newest aggregated one. An aggregated one that an older
 * connection left open does not count.
 */
export function streamsByNode(streams: ReadonlySet<XdsStream>): Map<string, XdsStream[]> {
  const found = new Map<string, XdsStream[]>();
  const aggregated = new Map<string, XdsStream>();
  for (const stream of streams) {
    if (stream.proxy === undefined) continue;
    const key = nodeKey(stream.proxy);
    if (stream.kind.only === undefined) aggregated.set(key, stream);
    else if (!found.get(key)?.push(stream)) found.set(key, [stream]);
  }
  for (const [key, stream] of aggregated) if (!found.get(key)?.push(stream)) found.set(key, [stream]);
  return found;
}

/** The streams of each node. Those whose proxy is not known yet are nobody's. */
export interface Siblings {
  /**
   * A stream's proxy is known now. Its client may have taken clusters on another stream: it may say that it has their
   * endpoints, and need them all the same.
   */
  joined(stream: XdsStream): void;
  /**
   * A stream's client took these: where they are clusters on a stream of their own, their endpoints are sent again on
   * the client's other streams.
   */
  accepted(stream: XdsStream, resources: Iterable<EncodedResource>): void;
  left(stream: XdsStream): void;
}

/** No streams yet. */
export function createSiblings(): Siblings {
  const byNode = new Map<string, Set<XdsStream>>();
  const ofNode = ({ proxy }: XdsStream): Set<XdsStream> | undefined => proxy && byNode.get(nodeKey(proxy));
  return {
    joined(stream) {
      if (stream.proxy === undefined) return;
      const own = ofNode(stream) ?? new Set();
      byNode.set(nodeKey(stream.proxy), own.add(stream));
      if (mayHaveEndpoints(stream))
        for (const other of own)
          if (other.kind.only === CLUSTERS) stream.warm([...(other.state().content?.clusters.values() ?? [])]);
    },
    accepted(stream, resources) {
      if (stream.kind.only !== CLUSTERS) return;
      const clusters = [...resources];
      for (const other of ofNode(stream) ?? []) if (mayHaveEndpoints(other)) other.warm(clusters);
    },
    left(stream) {
      const own = ofNode(stream);
      own?.delete(stream);
      if (own?.size === 0) byNode.delete(nodeKey(stream.proxy!));
    },
  };
}

function mayHaveEndpoints({ kind: { only } }: XdsStream): boolean {
  return only === undefined || kindOf(only) === "endpoints";
}
