// Who is connected, in the form of Istio's /debug/adsz and /debug/connections.
import { compareText } from "../../model/object.ts";
import { resourceTypes } from "../../snapshot/type-urls.ts";
import { LazyList } from "../json-pieces.ts";
import type { DebugConnection } from "./connection.ts";
import { istiosMetadata, labelsOf } from "./node-metadata.ts";

/** Returns Istio's AdsClients: id, time, address, labels, metadata and watches of every stream, by id. */
export function adsClients(connections: readonly DebugConnection[]): object {
  return list(connections, (connection) => ({
    labels: labelsOf(connection),
    metadata: istiosMetadata(connection),
    watches: Object.fromEntries(
      [...connection.kinds].map(([kind, { watched }]) => [resourceTypes[kind].typeUrl, watched]),
    ),
  }));
}

/** Returns Istio's short list: id, time and address of every stream. */
export function connectionList(connections: readonly DebugConnection[]): object {
  return list(connections, () => ({}));
}

function list(connections: readonly DebugConnection[], more: (connection: DebugConnection) => object): object {
  const sorted = [...connections].sort((a, b) => compareText(a.connectionId, b.connectionId));
  const clients = new LazyList(sorted, (connection) => ({
    connectionId: connection.connectionId,
    connectedAt: new Date(connection.connectedAtMs).toISOString(),
    address: connection.peerAddress,
    ...more(connection),
  }));
  return { totalClients: sorted.length, ...(sorted.length === 0 ? {} : { clients }) };
}
