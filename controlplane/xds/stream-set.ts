// All open streams: what each is due, what their proxies accepted and rejected, their status.
import type { status as GrpcStatus } from "@grpc/grpc-js";
import type { JsonObject } from "../../protos/build/envoy.ts";
import type { EncodedMap, EncodedResource } from "../snapshot/encode.ts";
import type { ResourceKind } from "../snapshot/resources.ts";
import { kindOf, type ResourceShortName, resourceTypes } from "../snapshot/type-urls.ts";
import { type AcceptanceBook, createAcceptanceBook, type Withheld } from "./acceptance.ts";
import { type HeldOfType, heldOnAll, type ResourceReach, reachOf } from "./distribution.ts";
import type { Proxy, ProxyIdentity } from "./node.ts";
import { contentOf, type ContentSource, createRefresher, recipientOf, type Refresher } from "./refresher.ts";
import { isQuiet, rejectionsOf, type TypeRejection, type TypeStatus, typeStatuses, worstOf } from "./status.ts";
import type { Answer, StreamHost, XdsStream } from "./stream.ts";
import { createSiblings, nodeKey } from "./sibling-streams.ts";
import { createQuarantine, type QuarantineOptions } from "./quarantine.ts";
import { createTrials, type Risk, type Trials } from "./trials.ts";
import { createResponseEncoder } from "./wire.ts";
import { createWriteBudget } from "./write-budget.ts";
import type { XdsObserver } from "./observer.ts";

/** One proxy with an open stream. */
export interface ProxyStatus {
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
  readonly rejections: readonly TypeRejection[];
  /** Every type it subscribes is SYNCED, and it has content at all. */
  readonly synced: boolean;
}

/** What a StreamSet needs; see XdsServerOptions. */
export interface StreamSetOptions extends QuarantineOptions {
  readonly source: ContentSource;
  readonly clock: { nowMs(): number; monotonicMs(): number };
  readonly log: Record<"info" | "warn" | "error", (fields: object, message: string) => void>;
  readonly stallMs: number;
  readonly budgetBytes: number;
  readonly controlPlane: string;
  readonly risk: Risk;
  readonly trialMs: number;
  readonly examine: (resources: readonly EncodedResource[], reason: string) => Promise<readonly EncodedResource[]>;
  readonly answer: (typeUrl: string, names: readonly string[], asker: ProxyIdentity | undefined) => Promise<Answer>;
  readonly observer: XdsObserver;
}

export interface StreamSet {
  readonly host: StreamHost;
  add(stream: XdsStream): void;
  /** Every stream is looked at again, some at a time. */
  notify(): void;
  status(): ProxyStatus[];
  /** What a proxy's streams hold by type; undefined for one without a stream. */
  held(nodeId: string): Partial<Record<ResourceShortName, HeldOfType>> | undefined;
  reach(kind: ResourceKind, name: string): ResourceReach;
  endAll(code: GrpcStatus, details: string): void;
}

/** What belongs together behind a StreamSet. */
interface Parts {
  readonly options: StreamSetOptions;
  readonly streams: Set<XdsStream>;
  readonly book: AcceptanceBook;
  readonly trials: Trials<XdsStream>;
  readonly refresher: Refresher;
}

/** A set without streams. */
export function createStreamSet(options: StreamSetOptions): StreamSet {
  const parts = createParts(options);
  const { streams, refresher, book } = parts;
  return {
    host: createHost(parts),
    add: (stream) => void streams.add(stream),
    notify: () => refresher.markStale(streams),
    status: () => [...byNodeId(streams).values()].map((own) => statusOf(own, parts)),
    held(nodeId) {
      const nodes = byNodeId(streams);
      const own = nodes.get(nodeId) ?? nodes.get(`said/${nodeId}`);
      return own === undefined ? undefined : heldOnAll(own);
    },
    reach: (kind, name) =>
      reachOf(kind, name, {
        streams: [...byNodeId(streams).values()].flat(),
        isStale: refresher.isStale,
        withheldFrom: (stream) => withheldFrom(stream, book),
      }),
    endAll(code, details) {
      for (const stream of [...streams]) stream.end(code, details);
    },
  };
}

function createParts(options: StreamSetOptions): Parts {
  const streams = new Set<XdsStream>();
  const book = createAcceptanceBook(options.clock);
  const trials = createTrials<XdsStream>({
    risk: options.risk,
    patienceMs: options.trialMs,
    proceed: (clients) => refresher.markStale(clients),
    setTimer(callback, ms) {
      const timer = setTimeout(callback, ms);
      return () => clearTimeout(timer);
    },
  });
  const refresher = createRefresher({
    source: options.source,
    book,
    trials,
    clock: options.clock,
    failed: (stream, error) =>
      options.log.error({ node: stream.proxy?.node.id, err: error }, "content for a proxy could not be made"),
  });
  return { options, streams, book, trials, refresher };
}

/**
 * Each node's streams: those that are for one type, and its newest aggregated one. An aggregated one that an older
 * connection left open does not count.
 */
function byNodeId(streams: ReadonlySet<XdsStream>): Map<string, XdsStream[]> {
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

function createHost(parts: Parts): StreamHost {
  const { options, streams, book, trials, refresher } = parts;
  const quarantine = createQuarantine(parts);
  const siblings = createSiblings();
  const { clock, log, observer } = options;
  const nowMs = (): number => clock.nowMs();
  const shortOf = (typeUrl: string): string => {
    const kind = kindOf(typeUrl);
    return kind === undefined ? typeUrl : resourceTypes[kind].short;
  };
  return {
    nowMs,
    stallMs: options.stallMs,
    examine: options.examine,
    answer: options.answer,
    budget: createWriteBudget(options.budgetBytes),
    responses: createResponseEncoder(options.controlPlane),
    admitted(stream) {
      log.info({ node: stream.proxy?.node.id }, "proxy connected");
      siblings.joined(stream);
      refresher.refresh(stream);
    },
    sent(stream, { typeUrl, updates }, bytes) {
      stream.sentAtMs = clock.monotonicMs();
      observer.sent(shortOf(typeUrl), updates.length, bytes, stream.sentAtMs - (stream.changedAtMs ?? stream.sentAtMs));
    },
    accepted(stream, resources) {
      siblings.accepted(stream, resources);
      if (!options.believes(stream.proxy)) return;
      trials.accepted(resources);
      if (book.noteAccepted(resources)) refresher.markStale(streams);
    },
    settled(stream, kind, basis) {
      book.noteSettled(recipientOf(stream).classKey, kind, basis);
      if (stream.changedAtMs === undefined || !isQuiet(stream.state())) return;
      // Who was sent nothing had nothing to acknowledge.
      if (stream.sentAtMs !== undefined && stream.sentAtMs >= stream.changedAtMs)
        observer.converged(clock.monotonicMs() - stream.changedAtMs);
      stream.changedAtMs = undefined;
    },
    refused(stream, resource, reason) {
      trials.refused(resource);
      quarantine.refused(stream, resource, reason);
    },
    rejected(stream, typeUrl, reason) {
      observer.rejected(shortOf(typeUrl), stream.proxy?.node.id ?? "", reason);
      log.warn({ node: stream.proxy?.node.id, type: shortOf(typeUrl), reason }, "proxy rejected its configuration");
    },
    stale: (_stream, typeUrl) => observer.stale(shortOf(typeUrl)),
    failed: (stream, error) => log.error({ node: stream.proxy?.node.id, err: error }, "serving a proxy failed"),
    closed(stream) {
      streams.delete(stream);
      siblings.left(stream);
      refresher.forget(stream);
      trials.forget(stream);
      book.noteClosed(() => new Set([...streams].map((other) => recipientOf(other).classKey)));
      if (stream.proxy !== undefined) log.info({ node: stream.proxy.node.id }, "proxy disconnected");
    },
  };
}

const NO_SECRETS: EncodedMap = new Map();

function withheldFrom(stream: XdsStream, book: AcceptanceBook): readonly Withheld[] {
  return stream.published === undefined
    ? []
    : book.withheldFrom(recipientOf(stream), contentOf(stream, stream.published, NO_SECRETS));
}

/**
 * One proxy's, from its aggregated stream or from those of its types together. What was announced and not looked at yet
 * does not pass for synced.
 */
function statusOf(streams: readonly XdsStream[], { book, refresher }: Pick<Parts, "book" | "refresher">): ProxyStatus {
  const newest = streams.at(-1)!;
  const { node, identity, isProven } = newest.proxy as Proxy;
  const each = streams.map((stream) => ({
    stream,
    types: typeStatuses(stream.state(), { withheld: withheldFrom(stream, book), isStale: refresher.isStale(stream) }),
  }));
  const shorts = Object.keys(each[0]!.types) as ResourceShortName[];
  const types = Object.fromEntries(
    shorts.map((short) => [short, worstOf(each.map((one) => one.types[short]))]),
  ) as Record<ResourceShortName, TypeStatus>;
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
    rejections: each.flatMap(({ stream }) => rejectionsOf(stream.state(), withheldFrom(stream, book))),
    synced:
      asked.length > 0 &&
      streams.every((stream) => stream.state().content !== undefined) &&
      asked.every(({ state }) => state === "SYNCED"),
  };
}
