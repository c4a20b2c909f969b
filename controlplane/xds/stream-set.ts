// All open streams: which content each is due, what their proxies accepted and rejected, their status.
import type { status as GrpcStatus } from "@grpc/grpc-js";
import type { Secret } from "../../protos/build/envoy.ts";
import type { EncodedMap, EncodedResource, EncodedResources, ResourceEncoder } from "../snapshot/encode.ts";
import { kindOf, type ResourceShortName, resourceTypes } from "../snapshot/type-urls.ts";
import { type ClassBook, createClassBook } from "./classes.ts";
import type { Proxy } from "./node.ts";
import { rejectionsOf, type TypeRejection, type TypeStatus, typeStatuses } from "./status.ts";
import type { AdsStream, StreamHost } from "./stream.ts";

/** One proxy with an open stream. */
export interface ProxyStatus {
  readonly nodeId: string;
  readonly kind: "sidecar" | "router";
  readonly pod: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly envoyVersion: string;
  readonly connectedAtMs: number;
  readonly types: Readonly<Record<ResourceShortName, TypeStatus>>;
  readonly rejections: readonly TypeRejection[];
  /** Every type it subscribes is SYNCED, and it has content at all. */
  readonly synced: boolean;
}

/** What a StreamSet needs; see XdsServerOptions. */
export interface StreamSetOptions {
  readonly resourcesFor: (proxy: Proxy) => EncodedResources | undefined;
  readonly secretsFor: (proxy: Proxy) => ReadonlyMap<string, Secret>;
  readonly encoder: ResourceEncoder;
  readonly clock: { nowMs(): number };
  readonly log: Record<"info" | "warn" | "error", (fields: object, message: string) => void>;
  readonly stallMs: number;
}

export interface StreamSet {
  readonly host: StreamHost;
  add(stream: AdsStream): void;
  /** Every stream is looked at again, some at a time. */
  notify(): void;
  status(): ProxyStatus[];
  endAll(code: GrpcStatus, details: string): void;
}

/** Streams looked at before other work gets its turn. */
const STREAMS_PER_TURN = 50;

/** A set without streams. */
export function createStreamSet(options: StreamSetOptions): StreamSet {
  const streams = new Set<AdsStream>();
  const book = createClassBook();
  const refresher = createRefresher(options, book);
  return {
    host: createHost(options, streams, book, refresher),
    add: (stream) => void streams.add(stream),
    notify: () => refresher.markStale(streams),
    status() {
      // What was announced and not looked at yet must not pass for synced.
      refresher.refreshAll();
      const byPod = new Map<string, ProxyStatus>();
      for (const stream of streams) if (stream.proxy !== undefined) byPod.set(`${stream.proxy.node.namespace}/${stream.proxy.node.pod}`, statusOf(stream, stream.proxy, book));
      return [...byPod.values()];
    },
    endAll(code, details) {
      for (const stream of [...streams]) stream.end(code, details);
    },
  };
}

interface Refresher {
  refresh(stream: AdsStream): void;
  refreshAll(): void;
  markStale(streams: Iterable<AdsStream>): void;
  forget(stream: AdsStream): void;
}

/** Asks for the content of streams: one at once, or all in slices, so that a thousand of them do not hold up the others' answers. */
function createRefresher({ resourcesFor, secretsFor, encoder, log }: StreamSetOptions, book: ClassBook): Refresher {
  const stale = new Set<AdsStream>();
  const secretsOf = new WeakMap<AdsStream, EncodedMap>();
  let isTurnPlanned = false;
  const refresh = (stream: AdsStream): void => {
    stale.delete(stream);
    try {
      bringUpToDate(stream);
    } catch (error) {
      // A bug in one class's translation must not reach the other classes; this proxy keeps what it has.
      log.error({ node: stream.proxy?.node.id, err: error }, "content for a proxy could not be made");
    }
  };
  const bringUpToDate = (stream: AdsStream): void => {
    const published = stream.proxy === undefined ? undefined : resourcesFor(stream.proxy);
    if (published === undefined || stream.proxy === undefined) return;
    const secrets = encoder.encodeMap("secrets", secretsFor(stream.proxy), secretsOf.get(stream));
    secretsOf.set(stream, secrets);
    stream.published = published;
    stream.setContent(book.servedOf(published), secrets);
  };
  const planTurn = (): void => {
    if (isTurnPlanned || stale.size === 0) return;
    isTurnPlanned = true;
    setImmediate(() => {
      isTurnPlanned = false;
      for (const stream of [...stale].slice(0, STREAMS_PER_TURN)) refresh(stream);
      planTurn();
    });
  };
  return {
    refresh,
    refreshAll() {
      for (const stream of [...stale]) refresh(stream);
    },
    markStale(streams) {
      for (const stream of streams) stale.add(stream);
      planTurn();
    },
    forget: (stream) => void stale.delete(stream),
  };
}

function createHost({ clock, log, stallMs }: StreamSetOptions, streams: Set<AdsStream>, book: ClassBook, refresher: Refresher): StreamHost {
  return {
    nowMs: () => clock.nowMs(),
    stallMs,
    admitted(stream) {
      log.info({ node: stream.proxy?.node.id }, "proxy connected");
      refresher.refresh(stream);
    },
    accepted(stream, resources: Iterable<EncodedResource>) {
      if (stream.published !== undefined) book.noteAccepted(stream.published.classKey, resources);
    },
    refused(stream, resource, reason) {
      const classKey = stream.published?.classKey;
      if (classKey === undefined || !book.noteRefused(classKey, resource, reason)) return;
      log.warn({ type: resourceTypes[resource.kind].short, resource: resource.name, version: resource.version }, "quarantined; the last accepted content is served");
      refresher.markStale([...streams].filter((other) => other.published?.classKey === classKey));
    },
    rejected(stream, typeUrl, reason) {
      const kind = kindOf(typeUrl);
      log.warn({ node: stream.proxy?.node.id, type: kind === undefined ? typeUrl : resourceTypes[kind].short, reason }, "proxy rejected its configuration");
    },
    failed(stream, error) {
      log.error({ node: stream.proxy?.node.id, err: error }, "serving a proxy failed");
    },
    closed(stream) {
      streams.delete(stream);
      refresher.forget(stream);
      if (stream.proxy !== undefined) log.info({ node: stream.proxy.node.id }, "proxy disconnected");
    },
  };
}

function statusOf(stream: AdsStream, { node, identity }: Proxy, book: ClassBook): ProxyStatus {
  const withheld = stream.published === undefined ? [] : book.quarantinedIn(stream.published);
  const types = typeStatuses(stream.state(), withheld);
  const asked = Object.values(types).filter(({ state }) => state !== "IGNORED");
  const synced = asked.length > 0 && stream.state().content !== undefined && asked.every(({ state }) => state === "SYNCED");
  const { id: nodeId, kind, pod, namespace, envoyVersion } = node;
  return { nodeId, kind, pod, namespace, serviceAccount: identity.serviceAccount, envoyVersion, connectedAtMs: stream.connectedAtMs, types, rejections: rejectionsOf(stream.state(), withheld), synced };
}
