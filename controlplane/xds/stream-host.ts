// What the server does for each stream: gives it what is due, and notes what its proxy says of it.
import { kindOf, resourceTypes } from "../snapshot/type-urls.ts";
import { createResponseEncoder } from "./grpc/wire.ts";
import { createWriteBudget } from "./grpc/write-budget.ts";
import type { Proxy } from "./node.ts";
import type { XdsObserver } from "./observer.ts";
import type { PushQueue } from "./push-queue.ts";
import { recipientOf } from "./recipient.ts";
import type { Canaries } from "./rejections/canary.ts";
import type { Judgement } from "./rejections/judgement.ts";
import type { Quarantine } from "./rejections/quarantine.ts";
import { createSiblings, type Siblings } from "./sibling-streams.ts";
import { isQuiet } from "./status/type-status.ts";
import type { StreamHost, XdsStream } from "./stream.ts";

export interface StreamHostOptions extends Pick<StreamHost, "stallMs" | "examine" | "answer"> {
  readonly clock: { nowMs(): number; monotonicMs(): number };
  readonly log: Record<"info" | "warn" | "error", (fields: object, message: string) => void>;
  readonly budgetBytes: number;
  /** Said of ourselves in every response. */
  readonly controlPlane: string;
  /** Whether what this proxy says of a content counts for the others. */
  readonly believes: (proxy: Proxy | undefined) => boolean;
  readonly observer: XdsObserver;
}

export interface StreamHostParts {
  readonly options: StreamHostOptions;
  readonly streams: Set<XdsStream>;
  readonly quarantine: Quarantine;
  readonly canaries: Canaries<XdsStream>;
  readonly pushes: PushQueue;
  readonly judgement: Judgement;
}

/** The host of all streams of a server. */
export function createStreamHost(parts: StreamHostParts): StreamHost {
  const { stallMs, examine, answer, budgetBytes, controlPlane, clock } = parts.options;
  const siblings = createSiblings();
  return {
    nowMs: () => clock.nowMs(),
    stallMs,
    examine,
    answer,
    budget: createWriteBudget(budgetBytes),
    responses: createResponseEncoder(controlPlane),
    ...comingsAndGoings(parts, siblings),
    ...responses(parts, siblings),
  };
}

function comingsAndGoings(
  { options: { log }, streams, quarantine, canaries, pushes }: StreamHostParts,
  siblings: Siblings,
): Pick<StreamHost, "admitted" | "failed" | "closed"> {
  return {
    admitted(stream) {
      log.info({ node: stream.proxy?.node.id }, "proxy connected");
      siblings.joined(stream);
      pushes.pushNow(stream);
    },
    failed: (stream, error) => log.error({ node: stream.proxy?.node.id, err: error }, "serving a proxy failed"),
    closed(stream) {
      streams.delete(stream);
      siblings.left(stream);
      pushes.forget(stream);
      canaries.forget(stream);
      quarantine.noteClosed(() => new Set([...streams].map((other) => recipientOf(other).classKey)));
      if (stream.proxy !== undefined) log.info({ node: stream.proxy.node.id }, "proxy disconnected");
    },
  };
}

function responses(
  { options: { clock, log, observer, believes }, streams, quarantine, canaries, pushes, judgement }: StreamHostParts,
  siblings: Siblings,
): Pick<StreamHost, "sent" | "accepted" | "settled" | "rejected" | "culprit" | "stale"> {
  return {
    sent(stream, { typeUrl, updates }, bytes) {
      stream.sentAtMs = clock.monotonicMs();
      observer.sent(shortOf(typeUrl), updates.length, bytes, stream.sentAtMs - (stream.changedAtMs ?? stream.sentAtMs));
    },
    accepted(stream, resources) {
      siblings.accepted(stream, resources);
      if (!believes(stream.proxy)) return;
      canaries.accepted(resources);
      if (quarantine.noteAccepted(resources)) pushes.push(streams);
    },
    settled(stream, kind, basis) {
      quarantine.noteSettled(recipientOf(stream).classKey, kind, basis);
      if (stream.changedAtMs === undefined || !isQuiet(stream.state())) return;
      // Who was sent nothing had nothing to acknowledge.
      if (stream.sentAtMs !== undefined && stream.sentAtMs >= stream.changedAtMs)
        observer.converged(clock.monotonicMs() - stream.changedAtMs);
      stream.changedAtMs = undefined;
    },
    rejected(stream, typeUrl, reason, isKnown) {
      observer.rejected(shortOf(typeUrl), stream.proxy?.node.id ?? "", reason);
      if (!isKnown)
        log.warn({ node: stream.proxy?.node.id, type: shortOf(typeUrl), reason }, "proxy rejected its configuration");
    },
    culprit(stream, resource, reason) {
      canaries.rejected(resource);
      judgement.rejected(stream, resource, reason);
    },
    stale: (_stream, typeUrl) => observer.stale(shortOf(typeUrl)),
  };
}

/** A type's short name, as `cds`; its URL where it is none of ours. */
function shortOf(typeUrl: string): string {
  const kind = kindOf(typeUrl);
  return kind === undefined ? typeUrl : resourceTypes[kind].short;
}
