// What proxies accepted and what they rejected: contents that nobody could load are replaced by the last ones that were, for all whose content they are.
import type { EncodedMap, EncodedResource } from "../snapshot/encode.ts";
import type { ResourceKind } from "../snapshot/resources.ts";
import { resourceKinds } from "../snapshot/type-urls.ts";
import type { ContentMaps } from "./stream-events.ts";

/** A content that some proxy rejected and that is withheld. */
export interface Withheld {
  readonly resource: EncodedResource;
  readonly reason: string;
  readonly atMs: number;
  /** What was accepted before it, where it was rejected first; others may have an own last good one. */
  readonly standIn: EncodedResource | undefined;
}

export interface AcceptanceBook {
  /** What is really served of what was published to a class; `alsoHeld` are contents that are not to be served yet. */
  servedOf(classKey: string, published: ContentMaps, alsoHeld?: readonly EncodedResource[]): ContentMaps;
  /** A proxy of the class has all of a kind as it is here. */
  noteSettled(classKey: string, kind: ResourceKind, basis: EncodedMap): void;
  /** Some proxy accepted these. One that another rejected is not bad in itself: it is withheld no longer. True when that changes what is served. */
  noteAccepted(resources: Iterable<EncodedResource>): boolean;
  /** A proxy of the class rejected this, and no other proxy holds it; true when this changes what is served. */
  noteRefused(classKey: string, resource: EncodedResource, reason: string, atMs: number): boolean;
  /** The last content under the name that proxies of the class accepted, other than this one. */
  goodInsteadOf(classKey: string, resource: EncodedResource): EncodedResource | undefined;
  /** The withheld contents of what was published. */
  withheldIn(published: ContentMaps): readonly Withheld[];
}

interface ClassRecord {
  /** By kind, all that a proxy of the class had at last. */
  readonly good: Map<ResourceKind, EncodedMap>;
  /** Where a content in `good` turned out bad: the one before. By address. */
  readonly earlier: Map<string, EncodedResource>;
}

/** Classes without a proxy are kept, so that a new one gets last good content too; the oldest leave above this number. */
const MAX_CLASSES = 2_048;
const MAX_WITHHELD = 1_000;

/** An empty book. */
export function createAcceptanceBook(): AcceptanceBook {
  const classes = new Map<string, ClassRecord>();
  const withheld = new Map<string, Withheld>();
  const overlays = createOverlays();
  const recordOf = (classKey: string): ClassRecord => {
    const record = classes.get(classKey) ?? { good: new Map(), earlier: new Map() };
    if (!classes.has(classKey) && classes.size >= MAX_CLASSES) classes.delete(classes.keys().next().value!);
    classes.set(classKey, record);
    return record;
  };
  const goodInsteadOf: AcceptanceBook["goodInsteadOf"] = (classKey, { kind, name, version }) => {
    const record = classes.get(classKey);
    const good = record?.good.get(kind)?.get(name);
    return good !== undefined && good.version !== version && !withheld.has(good.version) ? good : record?.earlier.get(addressOf(kind, name));
  };
  const withheldIn = (published: ContentMaps): Withheld[] => [...withheld.values()].filter(({ resource }) => contentOf(published, resource)?.version === resource.version);
  return {
    servedOf(classKey, published, alsoHeld = []) {
      if (withheld.size === 0 && alsoHeld.length === 0) return published;
      const held = [...withheldIn(published), ...alsoHeld.map((resource) => ({ resource, standIn: undefined }))];
      return overlays.replace(published, held.flatMap(({ resource, standIn }) => goodInsteadOf(classKey, resource) ?? standIn ?? []));
    },
    noteSettled(classKey, kind, basis) {
      const record = recordOf(classKey);
      for (const { resource } of withheld.values()) {
        if (resource.kind !== kind || basis.get(resource.name)?.version !== resource.version) continue;
        const good = goodInsteadOf(classKey, resource);
        if (good !== undefined) record.earlier.set(addressOf(kind, resource.name), good);
      }
      record.good.set(kind, basis);
    },
    noteAccepted(resources) {
      if (withheld.size === 0) return false;
      let isChanged = false;
      for (const { version } of resources) isChanged = withheld.delete(version) || isChanged;
      return isChanged;
    },
    noteRefused(classKey, resource, reason, atMs) {
      if (resource.kind === "secrets") return false;
      const known = withheld.get(resource.version);
      const standIn = known?.standIn ?? goodInsteadOf(classKey, resource);
      withheld.set(resource.version, { resource, reason: known?.reason ?? reason, atMs: known?.atMs ?? atMs, standIn });
      if (withheld.size > MAX_WITHHELD) withheld.delete(withheld.keys().next().value!);
      return standIn !== known?.standIn;
    },
    goodInsteadOf,
    withheldIn,
  };
}

function addressOf(kind: ResourceKind, name: string): string {
  return `${kind}/${name}`;
}

function contentOf(published: ContentMaps, { kind, name }: EncodedResource): EncodedResource | undefined {
  return published[kind].get(name);
}

interface Overlays {
  /** The maps with these contents in the place of those of the same name. The same map and contents give the same map. */
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
