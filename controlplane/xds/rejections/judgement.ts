// Consumes: rejections of single contents, and what an Envoy that serves nobody says of them.
// Produces: what is kept from other proxies and for how long; those whom that concerns are looked at again.
// Never does: keep a content from others for longer than a moment on one proxy's word alone.
import type { EncodedResource } from "../../snapshot/encode.ts";
import { resourceTypes } from "../../snapshot/type-urls.ts";
import type { Proxy } from "../node.ts";
import type { PushQueue } from "../push-queue.ts";
import { podKey, recipientOf } from "../recipient.ts";
import { holds } from "../status/held.ts";
import type { XdsStream } from "../stream.ts";
import { type Blame, isHeldBack, type RejectedContent } from "./blame.ts";
import type { BlameChange, Quarantine } from "./quarantine.ts";

/** What a judgement needs of the server around it. */
export interface JudgementOptions {
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
  /** Called with what is kept from everybody whenever that may be something else. */
  readonly heldBack?: (contents: readonly RejectedContent[]) => void;
  /** How long a content that one proxy rejected is kept from the others without such a judgement. */
  readonly judgementMs: number;
}

export interface JudgementParts {
  readonly options: JudgementOptions;
  readonly streams: ReadonlySet<XdsStream>;
  readonly quarantine: Quarantine;
  readonly pushes: Pick<PushQueue, "push">;
}

/** Finds out whose fault it is that a content was rejected. */
export interface Judgement {
  /** The stream's proxy rejected this content. */
  rejected(stream: XdsStream, resource: EncodedResource, reason: string): void;
  /** An Envoy that serves nobody does not load these, before any proxy was sent them. */
  refuse(contents: readonly RefusedForClass[]): void;
  /** What made this content bad may be another now: whoever comes to it is sent it again. */
  forget(version: string): void;
}

/** A content that no Envoy loads, and the key of a class that it was made for. */
export interface RefusedForClass {
  readonly resource: EncodedResource;
  readonly reason: string;
  readonly classKey: string;
}

/** What is logged when it comes to this. */
const WORDS: Readonly<Record<Blame, string>> = {
  examined: "rejected by one proxy; held back for a moment while an Envoy of the control plane's own tries it",
  content:
    "quarantined: an Envoy of the control plane's own cannot load it either; the last accepted content is served",
  repeated:
    "quarantined: two proxies rejected it, none has taken it, and nobody else could tell; " +
    "the last accepted content is served",
  proxy: "the rejection is that proxy's own: the content loads elsewhere, and the others are served it",
  unconfirmed: "rejected by one proxy, and nobody else could tell: the others are served it",
};

/** Nothing is being judged. */
export function createJudgement({ options, streams, quarantine, pushes }: JudgementParts): Judgement {
  const changed = ({ kind, name, version }: EncodedResource, { before, after }: BlameChange): void => {
    if (before === after) return;
    options.log.warn({ type: resourceTypes[kind].short, resource: name, version, blame: after }, WORDS[after]);
    if (isHeldBack(before) !== isHeldBack(after)) pushes.push(streams);
    options.heldBack?.(quarantine.heldBack());
  };
  const judged = (resource: EncodedResource, loads: boolean | undefined): void => {
    const change = quarantine.noteJudged(resource.version, loads);
    if (change !== undefined) changed(resource, change);
  };
  const ask = (resource: EncodedResource, classKey: string, pod: string): void => {
    const timer = setTimeout(() => judged(resource, undefined), options.judgementMs).unref();
    void options.judge(resource, quarantine.goodInsteadOf(classKey, resource), pod).then((loads) => {
      clearTimeout(timer);
      judged(resource, loads);
    });
  };
  return {
    rejected(stream, resource, reason) {
      // Secrets belong to one identity: there are no others.
      if (resource.kind === "secrets" || stream.proxy === undefined) return;
      const { classKey, pod } = recipientOf(stream);
      const change = quarantine.noteRejected(resource, {
        classKey,
        pod,
        reason,
        atMs: options.clock.nowMs(),
        isBelieved: options.believes(stream.proxy),
        isHeldByAnother: isHeldByAnother(resource, pod, streams, options.believes),
      });
      changed(resource, change);
      pushes.push([stream]);
      if (change.after === "examined" && change.before !== "examined") ask(resource, classKey, pod);
    },
    forget(version) {
      quarantine.forget(version);
      options.heldBack?.(quarantine.heldBack());
    },
    refuse(contents) {
      for (const { resource, reason, classKey } of contents) {
        // Who has it is not served by an Envoy like ours.
        if ([...streams].some((stream) => has(stream, resource))) continue;
        const refusal = { classKey: `delta/${classKey}`, reason, atMs: options.clock.nowMs() };
        changed(resource, quarantine.noteRefused(resource, refusal));
      }
    },
  };
}

/** Whether a proxy that is believed and is another pod's has it. */
function isHeldByAnother(
  resource: EncodedResource,
  pod: string,
  streams: ReadonlySet<XdsStream>,
  believes: JudgementOptions["believes"],
): boolean {
  return [...streams].some(
    (other) =>
      other.proxy !== undefined && podKey(other.proxy) !== pod && believes(other.proxy) && has(other, resource),
  );
}

function has(stream: XdsStream, resource: EncodedResource): boolean {
  const type = stream.state().types.get(resourceTypes[resource.kind].typeUrl);
  return type !== undefined && holds(type, resource);
}
