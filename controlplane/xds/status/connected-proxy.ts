// One proxy as its streams together show it.
import type { JsonObject } from "../../../protos/build/envoy.ts";
import type { EncodedMap } from "../../snapshot/encode.ts";
import type { ResourceShortName } from "../../snapshot/type-urls.ts";
import type { Proxy } from "../node.ts";
import type { PushQueue } from "../push-queue.ts";
import { contentOf, recipientOf } from "../recipient.ts";
import type { Quarantine, Withheld } from "../rejections/quarantine.ts";
import type { XdsStream } from "../stream.ts";
import { isQuiet, type Rejection, rejectionsOf, type TypeStatus, typeStatuses, worstOf } from "./type-status.ts";

/** One proxy with an open stream. */
export interface ConnectedProxy {
  readonly nodeId: string;
  readonly kind: "sidecar" | "router";
  readonly pod: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly envoyVersion: string;
  /** What its node says of itself. */
  readonly metadata: JsonObject;
  readonly connectedAtMs: number;
  /** Unique among the streams of this server; `peer` as in `127.0.0.1:51234`. */
  readonly connectionId: string;
  readonly peer: string;
  /** False for one that came by the plaintext port: who it is is only what its node says. */
  readonly isProven: boolean;
  /**
   * The class whose content it is served, "" before there is any, and the state of the mesh (World.revision) that the
   * content is up to date with.
   */
  readonly classKey: string;
  readonly revision: number;
  readonly types: Readonly<Record<ResourceShortName, TypeStatus>>;
  readonly rejections: readonly Rejection[];
  /** Every type it subscribes is SYNCED, and it has content at all. */
  readonly synced: boolean;
}

const NO_SECRETS: EncodedMap = new Map();

/** The contents that the stream's proxy does not get of what is published to it. */
export function withheldFrom(stream: XdsStream, quarantine: Quarantine): readonly Withheld[] {
  return stream.published === undefined
    ? []
    : quarantine.withheldFrom(recipientOf(stream), contentOf(stream, stream.published, NO_SECRETS));
}

export interface ConnectedProxyContext {
  readonly quarantine: Quarantine;
  readonly pushes: Pick<PushQueue, "isWaiting">;
}

/**
 * One proxy's, from its aggregated stream or from those of its types together. What was announced and not looked at yet
 * does not pass for synced.
 */
export function connectedProxyOf(
  streams: readonly XdsStream[],
  { quarantine, pushes }: ConnectedProxyContext,
): ConnectedProxy {
  const newest = streams.at(-1)!;
  const { node, identity, isProven } = newest.proxy as Proxy;
  const each = streams.map((stream) => ({
    stream,
    types: typeStatuses(stream.state(), {
      withheld: withheldFrom(stream, quarantine),
      isStale: pushes.isWaiting(stream),
    }),
  }));
  const types = worstOfEach(each.map((one) => one.types));
  const asked = Object.values(types).filter(({ state }) => state !== "IGNORED");
  const { id: nodeId, kind, pod, namespace, envoyVersion, metadata } = node;
  return {
    nodeId,
    kind,
    pod,
    namespace,
    serviceAccount: identity.serviceAccount,
    envoyVersion,
    metadata,
    isProven,
    connectedAtMs: newest.connectedAtMs,
    connectionId: newest.id,
    peer: newest.peer,
    classKey: newest.published?.classKey ?? "",
    revision: newest.revision,
    types,
    rejections: each.flatMap(({ stream }) => rejectionsOf(stream.state(), withheldFrom(stream, quarantine))),
    synced:
      asked.length > 0 &&
      streams.every((stream) => stream.state().content !== undefined) &&
      asked.every(({ state }) => state === "SYNCED"),
  };
}

/** How many proxies there are, and how many of them have nothing on its way: cheap, for who asks again and again. */
export interface Progress {
  readonly proxies: number;
  readonly settled: number;
}

/** How far the streams of all nodes are. */
export function progressOf(
  nodes: Iterable<readonly XdsStream[]>,
  { quarantine, pushes }: ConnectedProxyContext,
): Progress {
  let [proxies, settled] = [0, 0];
  const isSettled = (stream: XdsStream): boolean => {
    if (pushes.isWaiting(stream)) return false;
    const state = stream.state();
    if (isQuiet(state)) return true;
    // What a proxy rejected, or goes without, is not on its way.
    const types = typeStatuses(state, { withheld: withheldFrom(stream, quarantine), isStale: false });
    return Object.values(types).every((type) => type.state !== "STALE");
  };
  for (const streams of nodes) {
    proxies++;
    if (streams.every(isSettled)) settled++;
  }
  return { proxies, settled };
}

function worstOfEach(all: readonly ConnectedProxy["types"][]): ConnectedProxy["types"] {
  const shorts = Object.keys(all[0]!) as ResourceShortName[];
  return Object.fromEntries(shorts.map((short) => [short, worstOf(all.map((types) => types[short]))])) as Record<
    ResourceShortName,
    TypeStatus
  >;
}
