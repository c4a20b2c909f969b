// Brings streams to the content that is due to them: one at once, or all in slices, so that a thousand of them do not
// hold up the others' answers.
import type { Secret } from "../../protos/build/envoy.ts";
import type { EncodedMap, EncodedResources, ResourceEncoder } from "../snapshot/encode.ts";
import type { Proxy } from "./node.ts";
import { contentOf, recipientOf } from "./recipient.ts";
import type { Canaries, Risk } from "./rejections/canary.ts";
import type { Quarantine } from "./rejections/quarantine.ts";
import { isQuiet } from "./status/type-status.ts";
import type { XdsStream } from "./stream.ts";

/** Where content comes from; see XdsServerOptions. */
export interface ContentSource {
  readonly resourcesFor: (proxy: Proxy) => EncodedResources | undefined;
  readonly secretsFor: (proxy: Proxy) => ReadonlyMap<string, Secret>;
  readonly encoder: ResourceEncoder;
  readonly revision: () => number;
}

export interface PushQueueParts {
  readonly source: ContentSource;
  readonly quarantine: Quarantine;
  readonly canaries: Canaries<XdsStream>;
  readonly risk: Pick<Risk, "holdsWholeChange">;
  readonly clock: { monotonicMs(): number };
  /** A bug in one class's translation must not reach the other classes; its proxy keeps what it has. */
  readonly failed: (stream: XdsStream, error: unknown) => void;
}

export interface PushQueue {
  pushNow(stream: XdsStream): void;
  /** These are due something else, perhaps: they are looked at soon, some at a time. */
  push(streams: Iterable<XdsStream>): void;
  /** Whether that was said of this stream, and it has not been looked at since. */
  isWaiting(stream: XdsStream): boolean;
  forget(stream: XdsStream): void;
}

/**
 * How long streams are looked at before other work gets its turn: of a small change that is hundreds of them, of one
 * that concerns everything a few.
 */
const TURN_MS = 10;
const NO_SECRETS: EncodedMap = new Map();

/** A queue in which nobody waits. */
export function createPushQueue(parts: PushQueueParts): PushQueue {
  /** With when it was announced. */
  const waiting = new Map<XdsStream, number>();
  const bringUpToDate = createUpdate(parts);
  let isTurnPlanned = false;
  const pushNow = (stream: XdsStream): void => {
    const announcedAtMs = waiting.get(stream) ?? parts.clock.monotonicMs();
    waiting.delete(stream);
    try {
      stream.changedAtMs ??= announcedAtMs;
      bringUpToDate(stream);
      if (isQuiet(stream.state())) stream.changedAtMs = undefined;
    } catch (error) {
      parts.failed(stream, error);
    }
  };
  const planTurn = (): void => {
    if (isTurnPlanned || waiting.size === 0) return;
    isTurnPlanned = true;
    setImmediate(() => {
      isTurnPlanned = false;
      const endMs = parts.clock.monotonicMs() + TURN_MS;
      for (const stream of waiting.keys()) {
        pushNow(stream);
        if (parts.clock.monotonicMs() >= endMs) break;
      }
      planTurn();
    });
  };
  return {
    pushNow,
    push(streams) {
      const nowMs = parts.clock.monotonicMs();
      for (const stream of streams) if (!waiting.has(stream)) waiting.set(stream, nowMs);
      planTurn();
    },
    isWaiting: (stream) => waiting.has(stream),
    forget: (stream) => void waiting.delete(stream),
  };
}

function createUpdate({ source, quarantine, canaries, risk }: PushQueueParts): (stream: XdsStream) => void {
  const secretsOf = new WeakMap<XdsStream, EncodedMap>();
  return (stream) => {
    const { proxy } = stream;
    const published = proxy === undefined ? undefined : source.resourcesFor(proxy);
    if (published === undefined || proxy === undefined) return;
    stream.published = published;
    stream.revision = source.revision();
    // Secrets are for who proved who it is; on the other port nothing is even looked up.
    const secrets = proxy.isProven
      ? source.encoder.encodeMap("secrets", source.secretsFor(proxy), secretsOf.get(stream))
      : NO_SECRETS;
    secretsOf.set(stream, secrets);
    const recipient = recipientOf(stream);
    const wanted = contentOf(stream, published, secrets);
    const held = canaries.heldFrom(
      stream,
      wanted,
      (resource) => quarantine.goodInsteadOf(recipient.classKey, resource) !== undefined,
    );
    // What it has stands until one proxy has taken what is new.
    if (held.length > 0 && risk.holdsWholeChange) return;
    stream.setContent(quarantine.servedOf(recipient, wanted, held));
  };
}
