// Consumes: rejections of single contents, and what an Envoy that serves nobody says of them.
// Produces: what is kept from other proxies and for how long; those whom that concerns are looked at again.
// Never does: keep a content from others for longer than a moment on one proxy's word alone.
import type { EncodedResource } from "../snapshot/encode.ts";
import { resourceTypes } from "../snapshot/type-urls.ts";
import type { AcceptanceBook, BlameChange } from "./acceptance.ts";
import { holds } from "./distribution.ts";
import { podOf, recipientOf, type Refresher } from "./refresher.ts";
import type { Proxy } from "./node.ts";
import type { XdsStream } from "./stream.ts";
import { type Blame, isHeldBack } from "./suspicions.ts";

/** What a quarantine needs of the server around it. */
export interface QuarantineOptions {
  readonly clock: { nowMs(): number };
  readonly log: Record<"warn", (fields: object, message: string) => void>;
  /** Whether what this proxy says of a content counts for the others. */
  readonly believes: (proxy: Proxy | undefined) => boolean;
  /**
   * Whether an Envoy that serves nobody loads this content, as it loads `good`; undefined when that cannot be told.
   * Never rejects.
   */
  readonly judge: (
    resource: EncodedResource,
    good: EncodedResource | undefined,
    asker: string,
  ) => Promise<boolean | undefined>;
  /** How long a content that one proxy rejected is kept from the others without such a judgement. */
  readonly judgementMs: number;
}

export interface QuarantineParts {
  readonly options: QuarantineOptions;
  readonly streams: ReadonlySet<XdsStream>;
  readonly book: AcceptanceBook;
  readonly refresher: Pick<Refresher, "markStale">;
}

/** What is logged when it comes to this. */
const WORDS: Readonly<Record<Blame, string>> = {
  examined: "rejected by one proxy; held back for a moment while an Envoy of the control plane's own tries it",
  content:
    "quarantined: an Envoy of the control plane's own cannot load it either; the last accepted content is served",
  repeated:
    "quarantined: two proxies rejected it, none has taken it, and nobody else could tell; the last accepted content is served",
  proxy: "the rejection is that proxy's own: the content loads elsewhere, and the others are served it",
  unconfirmed: "rejected by one proxy, and nobody else could tell: the others are served it",
};

/** A quarantine with nothing in it. */
export function createQuarantine({ options, streams, book, refresher }: QuarantineParts): {
  refused(stream: XdsStream, resource: EncodedResource, reason: string): void;
} {
  const changed = ({ kind, name, version }: EncodedResource, { before, after }: BlameChange): void => {
    if (before === after) return;
    options.log.warn({ type: resourceTypes[kind].short, resource: name, version, blame: after }, WORDS[after]);
    if (isHeldBack(before) !== isHeldBack(after)) refresher.markStale(streams);
  };
  const judged = (resource: EncodedResource, loads: boolean | undefined): void => {
    const change = book.noteJudged(resource.version, loads);
    if (change !== undefined) changed(resource, change);
  };
  const examine = (resource: EncodedResource, classKey: string, pod: string): void => {
    const timer = setTimeout(() => judged(resource, undefined), options.judgementMs).unref();
    void options.judge(resource, book.goodInsteadOf(classKey, resource), pod).then((loads) => {
      clearTimeout(timer);
      judged(resource, loads);
    });
  };
  return {
    refused(stream, resource, reason) {
      // Secrets belong to one identity: there are no others.
      if (resource.kind === "secrets" || stream.proxy === undefined) return;
      const { classKey, pod } = recipientOf(stream);
      const isHeldByAnother = [...streams].some(
        (other) =>
          other.proxy !== undefined &&
          podOf(other.proxy) !== pod &&
          options.believes(other.proxy) &&
          has(other, resource),
      );
      const change = book.noteRefused(resource, {
        classKey,
        pod,
        reason,
        atMs: options.clock.nowMs(),
        isBelieved: options.believes(stream.proxy),
        isHeldByAnother,
      });
      changed(resource, change);
      refresher.markStale([stream]);
      if (change.after === "examined" && change.before !== "examined") examine(resource, classKey, pod);
    },
  };
}

function has(stream: XdsStream, resource: EncodedResource): boolean {
  const type = stream.state().types.get(resourceTypes[resource.kind].typeUrl);
  return type !== undefined && holds(type, resource);
}
