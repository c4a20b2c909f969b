// Consumes: what proxies accepted and rejected, and what was found out about that.
// Produces: what each proxy is really served of what was published to it: last good contents in the place of those that
// nobody can load for all whose content they are, in the place of others for who rejected them.
// Never does: ask anybody, or tell anybody.
import type { EncodedMap, EncodedResource } from "../../snapshot/encode.ts";
import type { ResourceKind } from "../../snapshot/resources.ts";
import { resourceKinds } from "../../snapshot/type-urls.ts";
import type { Recipient } from "../recipient.ts";
import type { ContentMaps } from "../state-machine/stream-events.ts";
import {
  type Blame,
  createRejectedContents,
  isHeldBack,
  type NamedContent,
  type ProxyRejection,
  type Refusal,
  type RejectedContent,
  type RejectedContents,
} from "./blame.ts";
import { createLastGood, type LastGood } from "./last-good.ts";

/** A content that some proxy rejected and that is kept from others, or from that proxy alone. */
export type Withheld = Pick<RejectedContent, "resource" | "reason" | "atMs" | "blame">;

/** What a rejection, a judgement or an acceptance did: the blame before and after it. */
export interface BlameChange {
  readonly before: Blame | undefined;
  readonly after: Blame;
}

export interface Quarantine
  extends Pick<LastGood, "noteSettled" | "noteClosed">,
    Pick<RejectedContents, "forget" | "offerAgain"> {
  /** What is really served of what was published to a class; `alsoHeld` are contents that are not to be served yet. */
  servedOf(recipient: Recipient, published: ContentMaps, alsoHeld?: readonly EncodedResource[]): ContentMaps;
  /** The contents of what was published that this recipient does not get. */
  withheldFrom(recipient: Recipient, published: ContentMaps): readonly Withheld[];
  /** The contents that are kept from everybody. */
  heldBack(): readonly RejectedContent[];
  /** The last content under the name that proxies of the class accepted, other than this one. */
  goodInsteadOf: LastGood["insteadOf"];
  /**
   * Some proxy accepted these. One that another rejected is not bad in itself: it is kept from others no longer. True
   * when that changes what is served.
   */
  noteAccepted(resources: Iterable<EncodedResource>): boolean;
  /** A proxy rejected this. After "examined" somebody is to be asked, and `noteJudged` told. */
  noteRejected(resource: EncodedResource, rejection: ProxyRejection): BlameChange;
  /** An Envoy that serves nobody does not load this, and no proxy was sent it. */
  noteRefused(resource: EncodedResource, refusal: Refusal): BlameChange;
  /**
   * An Envoy that serves nobody loads this content, or does not; undefined: that could not be found out in time.
   * Undefined when nobody asks any more.
   */
  noteJudged(version: string, loads: boolean | undefined): BlameChange | undefined;
}

/** A quarantine with nothing in it. */
export function createQuarantine({ monotonicMs }: { monotonicMs(): number }): Quarantine {
  const rejected = createRejectedContents();
  const lastGood = createLastGood({ rejected, monotonicMs });
  const replace = createReplacement();
  return {
    servedOf({ classKey, pod }, published, alsoHeld = []) {
      if (rejected.size === 0 && alsoHeld.length === 0) return published;
      // A class that never had another content gets what those had who rejected this one.
      const instead = withheldOf(rejected, pod, published).map(
        ({ resource, classKey: theirs }) =>
          lastGood.insteadOf(classKey, resource) ?? lastGood.insteadOf(theirs, resource),
      );
      const later = alsoHeld.map((resource) => lastGood.insteadOf(classKey, resource));
      return replace(
        published,
        [...instead, ...later].filter((good) => good !== undefined),
      );
    },
    withheldFrom: ({ pod }, published) => withheldOf(rejected, pod, published),
    heldBack: () => [...rejected.all()].filter(({ blame }) => blame === "content" || blame === "repeated"),
    goodInsteadOf: lastGood.insteadOf,
    forget: rejected.forget,
    offerAgain: rejected.offerAgain,
    noteSettled: lastGood.noteSettled,
    noteClosed: lastGood.noteClosed,
    noteAccepted: (resources) => rejected.size > 0 && acceptAll(rejected, resources),
    noteRejected(resource, rejection) {
      const before = rejected.of(resource.version)?.blame;
      return { before, after: rejected.reject(resource, rejection).blame };
    },
    noteRefused(resource, refusal) {
      const before = rejected.of(resource.version)?.blame;
      return { before, after: rejected.refuse(resource, refusal).blame };
    },
    noteJudged(version, loads) {
      const before = rejected.of(version)?.blame;
      const after = rejected.judge(version, loads)?.blame;
      return after && { before, after };
    },
  };
}

/** The contents that this pod does not get of what was published to it. */
function withheldOf(rejected: RejectedContents, pod: string, published: ContentMaps): RejectedContent[] {
  const found: RejectedContent[] = [];
  if (rejected.size > 0)
    for (const content of rejected.all())
      if ((isHeldBack(content.blame) || content.rejectedBy.has(pod)) && isPublished(published, content.resource))
        found.push(content);
  return found;
}

/** True when what is served changes by these having been accepted. */
function acceptAll(rejected: RejectedContents, resources: Iterable<EncodedResource>): boolean {
  let isChanged = false;
  for (const { version } of resources) {
    const before = rejected.of(version)?.blame;
    if (before !== undefined)
      isChanged = isHeldBack(before) !== isHeldBack(rejected.accept(version)?.blame) || isChanged;
  }
  return isChanged;
}

function isPublished(published: ContentMaps, { kind, name, version }: NamedContent): boolean {
  return published[kind].get(name)?.version === version;
}

/**
 * Gives the maps with other contents in the place of those of the same name. The same map and contents give the same
 * map.
 */
function createReplacement(): (published: ContentMaps, by: readonly EncodedResource[]) => ContentMaps {
  const made = new WeakMap<EncodedMap, { readonly key: string; readonly map: EncodedMap }>();
  const replaceIn = (map: EncodedMap, by: readonly EncodedResource[]): EncodedMap => {
    const key = by.map(({ name, version }) => `${name}\0${version}`).join("\0");
    const known = made.get(map);
    if (known?.key === key) return known.map;
    const replaced = new Map(map);
    for (const resource of by) replaced.set(resource.name, resource);
    made.set(map, { key, map: replaced });
    return replaced;
  };
  return (published, by) => {
    if (by.length === 0) return published;
    const maps: Record<ResourceKind, EncodedMap> = { ...published };
    for (const kind of resourceKinds) {
      const own = by.filter((resource) => resource.kind === kind);
      if (own.length > 0) maps[kind] = replaceIn(published[kind], own);
    }
    return maps;
  };
}
