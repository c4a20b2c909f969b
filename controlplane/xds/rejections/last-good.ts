// What the proxies of each class accepted last: it takes the place of a content that is kept from one of them.
import type { EncodedMap, EncodedResource } from "../../snapshot/encode.ts";
import type { ResourceKind } from "../../snapshot/resources.ts";
import { isHeldBack, type NamedContent, type RejectedContents } from "./blame.ts";

export interface LastGood {
  /** The last content under the name that proxies of the class accepted, other than this one. */
  insteadOf(classKey: string, resource: NamedContent): EncodedResource | undefined;
  /** A proxy has all of a kind as it is here, but for what it rejected. */
  noteSettled(classKey: string, kind: ResourceKind, basis: EncodedMap): void;
  /**
   * Some proxy left. What classes had of which none was `here` for a while is forgotten: theirs may have been pods that
   * are gone for ever.
   */
  noteClosed(here: () => ReadonlySet<string>): void;
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

export interface LastGoodOptions {
  /** Contents that somebody rejected: they are nobody's last good ones before somebody has taken them. */
  readonly rejected: RejectedContents;
  /** Never goes back. */
  readonly monotonicMs: () => number;
}

/** Nobody has accepted anything yet. */
export function createLastGood({ rejected, monotonicMs }: LastGoodOptions): LastGood {
  const classes = new Map<string, ClassRecord>();
  let lookedMs = -Infinity;
  const insteadOf: LastGood["insteadOf"] = (classKey, { kind, name, version }) => {
    const record = classes.get(classKey);
    const good = record?.good.get(kind)?.get(name);
    const isDoubtful = good !== undefined && rejected.of(good.version)?.isAccepted === false;
    return good !== undefined && good.version !== version && !isDoubtful
      ? good
      : record?.earlier.get(addressOf(kind, name));
  };
  return {
    insteadOf,
    noteSettled(classKey, kind, basis) {
      const record = recordOf(classes, classKey);
      keepEarlier(record, kind, basis, rejected);
      for (const { resource } of rejected.all()) {
        if (resource.kind !== kind || basis.get(resource.name)?.version !== resource.version) continue;
        const good = insteadOf(classKey, resource);
        if (good !== undefined) record.earlier.set(addressOf(kind, resource.name), good);
      }
      record.good.set(kind, basis);
    },
    noteClosed(here) {
      const nowMs = monotonicMs();
      if (nowMs - lookedMs < LOOKED_EVERY_MS) return;
      lookedMs = nowMs;
      // What others get in the place of a content that was rejected may be what a class had that is gone.
      const heldBack = [...rejected.all()].filter(({ blame }) => isHeldBack(blame));
      dropGone(classes, new Set([...here(), ...heldBack.map(({ classKey }) => classKey)]), nowMs);
    },
  };
}

function recordOf(classes: Map<string, ClassRecord>, classKey: string): ClassRecord {
  const known = classes.get(classKey);
  if (known !== undefined) return known;
  if (classes.size >= MAX_CLASSES) classes.delete(classes.keys().next().value!);
  const record: ClassRecord = { good: new Map(), earlier: new Map(), goneSinceMs: undefined };
  classes.set(classKey, record);
  return record;
}

/**
 * What stands in `earlier` is replaced by what the class has accepted under that name since, and nobody rejected; with
 * the name it goes.
 */
function keepEarlier(
  { earlier }: ClassRecord,
  kind: ResourceKind,
  basis: EncodedMap,
  rejected: RejectedContents,
): void {
  for (const [address, { kind: of, name }] of earlier) {
    if (of !== kind) continue;
    const now = basis.get(name);
    if (now === undefined) earlier.delete(address);
    else if (rejected.of(now.version) === undefined) earlier.set(address, now);
  }
}

function dropGone(classes: Map<string, ClassRecord>, kept: ReadonlySet<string>, nowMs: number): void {
  for (const [classKey, record] of classes) {
    record.goneSinceMs = kept.has(classKey) ? undefined : (record.goneSinceMs ?? nowMs);
    if (record.goneSinceMs !== undefined && nowMs - record.goneSinceMs > GONE_KEPT_MS) classes.delete(classKey);
  }
}

function addressOf(kind: ResourceKind, name: string): string {
  return `${kind}/${name}`;
}
