// All open streams: what each is due, what their proxies accepted and rejected, their status.
import type { status as GrpcStatus } from "@grpc/grpc-js";
import type { ResourceKind } from "../snapshot/resources.ts";
import type { ResourceShortName } from "../snapshot/type-urls.ts";
import { type ContentSource, createPushQueue } from "./push-queue.ts";
import { createCanaries, type Risk } from "./rejections/canary.ts";
import { createJudgement, type JudgementOptions, type RefusedForClass } from "./rejections/judgement.ts";
import { createQuarantine } from "./rejections/quarantine.ts";
import { streamsByNode } from "./sibling-streams.ts";
import {
  type ConnectedProxy,
  connectedProxyOf,
  type Progress,
  progressOf,
  withheldFrom,
} from "./status/connected-proxy.ts";
import { type HeldOfType, heldOnAll } from "./status/held.ts";
import { type ResourceReach, reachOfResource } from "./status/resource-reach.ts";
import { createStreamHost, type StreamHostOptions } from "./stream-host.ts";
import type { StreamHost, XdsStream } from "./stream.ts";

/** What a StreamSet needs; see XdsServerOptions. */
export interface StreamSetOptions
  extends StreamHostOptions,
    Pick<JudgementOptions, "judge" | "judgementMs" | "heldBack"> {
  readonly source: ContentSource;
  readonly risk: Risk;
  readonly canaryMs: number;
  readonly offerAgainMs: number;
}

export interface StreamSet {
  readonly host: StreamHost;
  add(stream: XdsStream): void;
  /** Every stream is looked at again, some at a time. */
  notify(): void;
  status(): ConnectedProxy[];
  progress(): Progress;
  /** What a proxy's streams hold by type; undefined for one without a stream. */
  held(nodeId: string): Partial<Record<ResourceShortName, HeldOfType>> | undefined;
  reach(kind: ResourceKind, name: string): ResourceReach;
  /** See XdsServer. */
  refuse(contents: readonly RefusedForClass[]): void;
  forgetRefusal(version: string): void;
  endAll(code: GrpcStatus, details: string): void;
}

/** A set without streams. */
export function createStreamSet(options: StreamSetOptions): StreamSet {
  const streams = new Set<XdsStream>();
  const parts = createParts(options, streams);
  const { pushes, quarantine, judgement } = parts;
  const again = setInterval(() => {
    if (quarantine.offerAgain()) pushes.push(streams);
    for (const stream of streams) stream.offerAgain();
  }, options.offerAgainMs).unref();
  return {
    host: createStreamHost(parts),
    add: (stream) => void streams.add(stream),
    notify: () => pushes.push(streams),
    status: () => [...streamsByNode(streams).values()].map((own) => connectedProxyOf(own, parts)),
    progress: () => progressOf(streamsByNode(streams).values(), parts),
    held(nodeId) {
      const nodes = streamsByNode(streams);
      const own = nodes.get(nodeId) ?? nodes.get(`said/${nodeId}`);
      return own === undefined ? undefined : heldOnAll(own);
    },
    reach: (kind, name) =>
      reachOfResource(kind, name, {
        streams: [...streamsByNode(streams).values()].flat(),
        isStale: pushes.isWaiting,
        withheldFrom: (stream) => withheldFrom(stream, quarantine),
      }),
    refuse: judgement.refuse,
    forgetRefusal: judgement.forget,
    endAll(code, details) {
      clearInterval(again);
      for (const stream of [...streams]) stream.end(code, details);
    },
  };
}

function createParts(options: StreamSetOptions, streams: Set<XdsStream>) {
  const { clock, log, source, risk } = options;
  const quarantine = createQuarantine(clock);
  const canaries = createCanaries<XdsStream>({
    risk,
    patienceMs: options.canaryMs,
    proceed: (clients) => pushes.push(clients),
    setTimer(callback, ms) {
      const timer = setTimeout(callback, ms);
      return () => clearTimeout(timer);
    },
  });
  const pushes = createPushQueue({
    source,
    quarantine,
    canaries,
    risk,
    clock,
    failed: (stream, error) =>
      log.error({ node: stream.proxy?.node.id, err: error }, "content for a proxy could not be made"),
  });
  const judgement = createJudgement({ options, streams, quarantine, pushes });
  return { options, streams, quarantine, canaries, pushes, judgement };
}
