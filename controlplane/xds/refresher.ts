// Brings streams to the content that is due to them: one at once, or all in slices, so that a thousand of them do not
// hold up the others' answers.
import type { Secret } from "../../protos/build/envoy.ts";
import type { EncodedMap, EncodedResources, ResourceEncoder } from "../snapshot/encode.ts";
import type { AcceptanceBook, Recipient } from "./acceptance.ts";
import type { Proxy } from "./node.ts";
import { plainRoutes } from "./plain-routes.ts";
import { isQuiet } from "./status.ts";
import type { ContentMaps } from "./stream-events.ts";
import type { XdsStream } from "./stream.ts";
import type { Trials } from "./trials.ts";

/** Where content comes from; see XdsServerOptions. */
export interface ContentSource {
  readonly resourcesFor: (proxy: Proxy) => EncodedResources | undefined;
  readonly secretsFor: (proxy: Proxy) => ReadonlyMap<string, Secret>;
  readonly encoder: ResourceEncoder;
  readonly revision: () => number;
}

export interface RefresherParts {
  readonly source: ContentSource;
  readonly book: AcceptanceBook;
  readonly trials: Trials<XdsStream>;
  readonly clock: { monotonicMs(): number };
  /** A bug in one class's translation must not reach the other classes; its proxy keeps what it has. */
  readonly failed: (stream: XdsStream, error: unknown) => void;
}

export interface Refresher {
  refresh(stream: XdsStream): void;
  /** Whether it was announced that this stream is due something else, and it has not been looked at since. */
  isStale(stream: XdsStream): boolean;
  /** They are looked at again soon, some at a time. */
  markStale(streams: Iterable<XdsStream>): void;
  forget(stream: XdsStream): void;
}

/**
 * How long streams are looked at before other work gets its turn: of a small change that is hundreds of them, of one
 * that concerns everything a few.
 */
const TURN_MS = 10;
const NOTHING: EncodedMap = new Map();

/** A refresher of no streams yet. */
export function createRefresher(parts: RefresherParts): Refresher {
  /** With when it was announced. */
  const stale = new Map<XdsStream, number>();
  const bringUpToDate = createUpdate(parts);
  let isTurnPlanned = false;
  const refresh = (stream: XdsStream): void => {
    const announcedAtMs = stale.get(stream) ?? parts.clock.monotonicMs();
    stale.delete(stream);
    try {
      stream.changedAtMs ??= announcedAtMs;
      bringUpToDate(stream);
      if (isQuiet(stream.state())) stream.changedAtMs = undefined;
    } catch (error) {
      parts.failed(stream, error);
    }
  };
  const planTurn = (): void => {
    if (isTurnPlanned || stale.size === 0) return;
    isTurnPlanned = true;
    setImmediate(() => {
      isTurnPlanned = false;
      const endMs = parts.clock.monotonicMs() + TURN_MS;
      for (const stream of stale.keys()) {
        refresh(stream);
        if (parts.clock.monotonicMs() >= endMs) break;
      }
      planTurn();
    });
  };
  return {
    refresh,
    isStale: (stream) => stale.has(stream),
    markStale(streams) {
      const nowMs = parts.clock.monotonicMs();
      for (const stream of streams) if (!stale.has(stream)) stale.set(stream, nowMs);
      planTurn();
    },
    forget: (stream) => void stale.delete(stream),
  };
}

function createUpdate({ source, book, trials }: RefresherParts): (stream: XdsStream) => void {
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
      : NOTHING;
    secretsOf.set(stream, secrets);
    const recipient = recipientOf(stream);
    const wanted = contentOf(stream, published, secrets);
    const held = trials.heldFrom(
      stream,
      wanted,
      (resource) => book.goodInsteadOf(recipient.classKey, resource) !== undefined,
    );
    stream.setContent(book.servedOf(recipient, wanted, held));
  };
}

/** Under what a stream's acceptances are noted: a route with its hosts inside is another content than one without. */
export function recipientOf(stream: XdsStream): Recipient {
  const { published, kind, proxy } = stream;
  const known = recipients.get(stream);
  if (known !== undefined && known.proxy === proxy && known.of === published?.classKey) return known.recipient;
  const recipient = {
    classKey: `${kind.dialect}/${published?.classKey ?? ""}`,
    pod: proxy === undefined ? "" : podOf(proxy),
  };
  recipients.set(stream, { proxy, of: published?.classKey, recipient });
  return recipient;
}

/** Long texts that are looked up by at every change and acknowledgement of each stream. */
const recipients = new WeakMap<
  XdsStream,
  { readonly proxy: Proxy | undefined; readonly of: string | undefined; readonly recipient: Recipient }
>();

/** Text that stands for a proxy's pod; who only says that it is one is not that one. */
export function podOf({ identity, isProven }: Proxy): string {
  return `${isProven ? "" : "said/"}${identity.namespace}/${identity.pod}`;
}

/** What a stream of its kind is to have. */
export function contentOf(
  { kind }: Pick<XdsStream, "kind">,
  { maps }: EncodedResources,
  secrets: EncodedMap,
): ContentMaps {
  if (kind.dialect === "delta") return { ...maps, secrets };
  return { ...maps, routes: plainRoutes(maps.routes, maps.virtualHosts), virtualHosts: NOTHING, secrets };
}
