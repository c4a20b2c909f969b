// A client's clusters on one stream and its endpoints on another: neither stream knows of the other, and the client's clusters would warm for ever.
import type { EncodedResource } from "../snapshot/encode.ts";
import { kindOf, resourceTypes } from "../snapshot/type-urls.ts";
import type { Proxy } from "./node.ts";
import type { XdsStream } from "./stream.ts";

const CLUSTERS = resourceTypes.clusters.typeUrl;

/** Who only says that it is a node does not stand for one that proved it. */
export function nodeKey({ node, isProven }: Proxy): string {
  return isProven ? node.id : `said/${node.id}`;
}

/** A stream's client took these: where they are clusters on a stream of their own, their endpoints are sent again on the client's other streams. */
export function warmElsewhere(stream: XdsStream, resources: Iterable<EncodedResource>, streams: Iterable<XdsStream>): void {
  if (stream.kind.only !== CLUSTERS) return;
  const clusters = [...resources];
  for (const other of ofSameNode(stream, streams)) if (mayHaveEndpoints(other)) other.warm(clusters);
}

/** A stream that was just opened, after its client took clusters on another: it may say that it has endpoints, and need them all the same. */
export function warmFromElsewhere(stream: XdsStream, streams: Iterable<XdsStream>): void {
  if (!mayHaveEndpoints(stream)) return;
  for (const other of ofSameNode(stream, streams)) if (other.kind.only === CLUSTERS) stream.warm([...(other.state().content?.clusters.values() ?? [])]);
}

function mayHaveEndpoints({ kind: { only } }: XdsStream): boolean {
  return only === undefined || kindOf(only) === "endpoints";
}

function* ofSameNode(stream: XdsStream, streams: Iterable<XdsStream>): Iterable<XdsStream> {
  const { proxy } = stream;
  if (proxy !== undefined) for (const other of streams) if (other !== stream && other.proxy !== undefined && nodeKey(other.proxy) === nodeKey(proxy)) yield other;
}
