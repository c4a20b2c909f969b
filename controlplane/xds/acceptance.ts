// What proxies accepted and what they rejected: contents that nobody can load are replaced by the last good ones for
// all whose content they are, others for who rejected them.
import type { EncodedMap, EncodedResource } from "../snapshot/encode.ts";
import type { ResourceKind } from "../snapshot/resources.ts";
import { resourceKinds } from "../snapshot/type-urls.ts";
import type { ContentMaps } from "./stream-events.ts";
import {
  type Blame,
  createSuspicions,
  isHeldBack,
  type NamedContent,
  type Refusal,
  type Suspicion,
} from "./suspicions.ts";

/** A content that some proxy rejected and that is kept from others, or from that proxy alone. */
export interface Withheld extends Pick<Suspicion, "resource" | "reason" | "atMs" | "blame"> {}

/** For whom something is looked up: the class whose content it is served, and the pod (`namespace/name`). */
export interface Recipient {
  readonly classKey: string;
  readonly pod: string;
}

/** What a rejection, a judgement or an acceptance did: the blame before and after it. */
export interface BlameChange {
  readonly before: Blame | undefined;
  readonly after: Blame;
}

export interface AcceptanceBook {
  /** What is really served of what was published to a class; `alsoHeld` are contents that are not to be served yet. */
  servedOf(recipient: Recipient, published: ContentMaps, alsoHeld?: readonly EncodedResource[]): ContentMaps;
  /** A proxy has all of a kind as it is here, but for what it rejected. */
  noteSettled(classKey: string, kind: ResourceKind, basis: EncodedMap): void;
  /**
   * Some proxy accepted these. One that another rejected is not bad in itself: it is kept from others no longer. True
   * when that changes what is served.
   */
  noteAccepted(resources: Iterable<EncodedResource>): boolean;
  /** A proxy rejected this. After "examined" somebody is to be asked, and `noteJudged` told. */
  noteRefused(resource: EncodedResource, refusal: Refusal): BlameChange;
  /**
   * An Envoy that serves nobody loads this content, or does not; undefined: that could not be found out in time.
   * Undefined when nobody asks any more.
   */
  noteJudged(version: string, loads: boolean | undefined): BlameChange | undefined;
  /** The last content under the name that proxies of the class accepted, other than this one. */
  goodInsteadOf(classKey: string, resource: NamedContent): EncodedResource | undefined;
  /**
   * Some proxy left. What classes had of which none was `here` for a while is forgotten: theirs may have been pods that
   * are gone for ever.
   */
  noteClosed(here: () => ReadonlySet<string>): void;
  /** The contents of what was published that this recipient does not get. */
  withheldFrom(recipient: Recipient, published: ContentMaps): readonly Withheld[];
}

interface ClassRecord {
  /** By kind, all that a proxy of the class had at last. */
  readonly good: Map<ResourceKind, EncodedMap>;
  /** Where a content in `good` was rejected by some proxy: the one before. By address. */
  readonly earlier: Map<string, EncodedResource>;
  /** When it was found that no proxy of the class is here. */
  goneSinceMs: number | undefined;
}

/**
 * Classes without a proxy are kept for so long, so that one that comes back gets last good content too; the oldest
 * leave above this number.
 */
const GONE_KEPT_MS = 10 * 60_000;
const LOOKED_EVERY_MS = 60_000;
const MAX_CLASSES = 2_048;

/** An empty book. */
export function createAcceptanceBook({ monotonicMs }: { monotonicMs(): number }): AcceptanceBook {
  const classes = new Map<string, ClassRecord>();
  let lookedMs = -Infinity;
  const suspicions = createSuspicions();
  const overlays = createOverlays();
  const recordOf = (classKey: string): ClassRecord => {
    const record = classes.get(classKey) ?? { good: new Map(), earlier: new Map(), goneSinceMs: undefined };
    if (!classes.has(classKey) && classes.size >= MAX_CLASSES) classes.delete(classes.keys().next().value!);
    classes.set(classKey, record);
    return record;
  };
  /** A content that was rejected and that nobody has taken is nobody's last good one. */
  const isDoubtful = ({ version }: NamedContent): boolean => suspicions.of(version)?.isAccepted === false;
  const goodInsteadOf: AcceptanceBook["goodInsteadOf"] = (classKey, { kind, name, version }) => {
    const record = classes.get(classKey);
    const good = record?.good.get(kind)?.get(name);
    return good !== undefined && good.version !== version && !isDoubtful(good)
      ? good
      : record?.earlier.get(addressOf(kind, name));
  };
  const withheldFrom = ({ pod }: Pick<Recipient, "pod">, published: ContentMaps): Suspicion[] => {
    const found: Suspicion[] = [];
    if (suspicions.size > 0)
      for (const suspicion of suspicions.all())
        if ((isHeldBack(suspicion.blame) || suspicion.refusedBy.has(pod)) && isPublished(published, suspicion.resource))
          found.push(suspicion);
    return found;
  };
  return {
    servedOf({ classKey, pod }, published, alsoHeld = []) {
      if (suspicions.size === 0 && alsoHeld.length === 0) return published;
      // A class that never had another content gets what those had who rejected this one.
      const instead = withheldFrom({ pod }, published).map(
        ({ resource, classKey: theirs }) => goodInsteadOf(classKey, resource) ?? goodInsteadOf(theirs, resource),
      );
      return overlays.replace(
        published,
        [...instead, ...alsoHeld.map((resource) => goodInsteadOf(classKey, resource))].filter(
          (good) => good !== undefined,
        ),
      );
    },
    noteSettled(classKey, kind, basis) {
      const record = recordOf(classKey);
      keepEarlier(record, kind, basis, ({ version }) => suspicions.of(version) !== undefined);
      for (const { resource } of suspicions.all()) {
        if (resource.kind !== kind || basis.get(resource.name)?.version !== resource.version) continue;
        const good = goodInsteadOf(classKey, resource);
        if (good !== undefined) record.earlier.set(addressOf(kind, resource.name), good);
      }
      record.good.set(kind, basis);
    },
    noteAccepted(resources) {
      if (suspicions.size === 0) return false;
      let isChanged = false;
      for (const { version } of resources) {
        const before = suspicions.of(version)?.blame;
        if (before !== undefined)
          isChanged = isHeldBack(before) !== isHeldBack(suspicions.accept(version)?.blame) || isChanged;
      }
      return isChanged;
    },
    noteRefused(resource, refusal) {
      const before = suspicions.of(resource.version)?.blame;
      return { before, after: suspicions.refuse(resource, refusal).blame };
    },
    noteJudged(version, loads) {
      const before = suspicions.of(version)?.blame;
      const after = suspicions.judge(version, loads)?.blame;
      return after && { before, after };
    },
    goodInsteadOf,
    noteClosed(here) {
      const nowMs = monotonicMs();
      if (nowMs - lookedMs < LOOKED_EVERY_MS) return;
      lookedMs = nowMs;
      // What others get in the place of a content that was rejected may be what a class had that is gone.
      const kept = new Set([
        ...here(),
        ...[...suspicions.all()].filter(({ blame }) => isHeldBack(blame)).map(({ classKey }) => classKey),
      ]);
      for (const [classKey, record] of classes) {
        record.goneSinceMs = kept.has(classKey) ? undefined : (record.goneSinceMs ?? nowMs);
        if (record.goneSinceMs !== undefined && nowMs - record.goneSinceMs > GONE_KEPT_MS) classes.delete(classKey);
      }
    },
    withheldFrom,
  };
}

/**
 * What stands in `earlier` is replaced by what the class has accepted under that name since, and nobody rejected; with
 * the name it goes.
 */
function keepEarlier(
  { earlier }: ClassRecord,
  kind: ResourceKind,
  basis: EncodedMap,
  isSuspected: (resource: EncodedResource) => boolean,
): void {
  for (const [address, { kind: of, name }] of earlier) {
    if (of !== kind) continue;
    const now = basis.get(name);
    if (now === undefined) earlier.delete(address);
    else if (!isSuspected(now)) earlier.set(address, now);
  }
}

function addressOf(kind: ResourceKind, name: string): string {
  return `${kind}/${name}`;
}

function isPublished(published: ContentMaps, { kind, name, version }: NamedContent): boolean {
  return published[kind].get(name)?.version === version;
}

interface Overlays {
  /**
   * The maps with these contents in the place of those of the same name. The same map and contents give the same map.
   */
  replace(published: ContentMaps, by: readonly EncodedResource[]): ContentMaps;
}

function createOverlays(): Overlays {
  const made = new WeakMap<EncodedMap, { readonly key: string; readonly map: EncodedMap }>();
  const overlay = (map: EncodedMap, by: readonly EncodedResource[]): EncodedMap => {
    const key = by.map(({ name, version }) => `${name}\0${version}`).join("\0");
    const known = made.get(map);
    if (known?.key === key) return known.map;
    const replaced = new Map(map);
    for (const resource of by) replaced.set(resource.name, resource);
    made.set(map, { key, map: replaced });
    return replaced;
  };
  return {
    replace(published, by) {
      if (by.length === 0) return published;
      const maps: Record<ResourceKind, EncodedMap> = { ...published };
      for (const kind of resourceKinds) {
        const own = by.filter((resource) => resource.kind === kind);
        if (own.length > 0) maps[kind] = overlay(published[kind], own);
      }
      return maps;
    },
  };
}
