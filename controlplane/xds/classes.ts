// Per class of proxies: contents that a proxy rejected, and the last ones that proxies accepted, which are served instead.
import type { EncodedMap, EncodedResource, EncodedResources } from "../snapshot/encode.ts";
import type { ResourceKind } from "../snapshot/resources.ts";

interface ClassState {
  readonly lastGood: Map<string, EncodedResource>;
  readonly quarantine: Map<string, { readonly resource: EncodedResource; readonly reason: string }>;
  effective: { readonly published: EncodedResources; readonly served: EncodedResources } | undefined;
}

export interface ClassBook {
  /** What is really served of what was published: quarantined contents are replaced by the last good ones, where there are any. */
  servedOf(published: EncodedResources): EncodedResources;
  /** Remembers what a proxy of the class accepted. */
  noteAccepted(classKey: string, resources: Iterable<EncodedResource>): void;
  /** Remembers what a proxy of the class rejected; true when this changes what the class is served. */
  noteRefused(classKey: string, resource: EncodedResource, reason: string): boolean;
  /** The quarantined contents of what was published. */
  quarantinedIn(published: EncodedResources): readonly { readonly resource: EncodedResource; readonly reason: string }[];
}

/** Classes without a stream are kept, so that a new proxy gets last good content too; the oldest leave above this number. */
const MAX_CLASSES = 4_096;

/** An empty ClassBook. */
export function createClassBook(): ClassBook {
  const classes = new Map<string, ClassState>();
  const stateOf = (classKey: string): ClassState => {
    const state = classes.get(classKey) ?? { lastGood: new Map(), quarantine: new Map(), effective: undefined };
    classes.delete(classKey);
    classes.set(classKey, state);
    if (classes.size > MAX_CLASSES) classes.delete(classes.keys().next().value!);
    return state;
  };
  return {
    servedOf(published) {
      const state = stateOf(published.classKey);
      if (state.effective?.published !== published) state.effective = { published, served: overlay(published, state) };
      return state.effective.served;
    },
    noteAccepted(classKey, resources) {
      const { lastGood, quarantine } = stateOf(classKey);
      for (const resource of resources) {
        const key = keyOf(resource);
        if (quarantine.get(key)?.resource.version !== resource.version) lastGood.set(key, resource);
      }
    },
    noteRefused(classKey, resource, reason) {
      const state = stateOf(classKey);
      const good = state.lastGood.get(keyOf(resource));
      // What another proxy of the class accepted is not bad in itself: only this stream goes without.
      if (resource.kind === "secrets" || good?.version === resource.version) return false;
      state.quarantine.set(keyOf(resource), { resource, reason });
      state.effective = undefined;
      return good !== undefined;
    },
    quarantinedIn(published) {
      const { quarantine } = stateOf(published.classKey);
      return [...quarantine.values()].filter(({ resource }) => contentOf(published, resource)?.version === resource.version);
    },
  };
}

function keyOf(resource: EncodedResource): string {
  return `${resource.kind}/${resource.name}`;
}

function contentOf(published: EncodedResources, resource: EncodedResource): EncodedResource | undefined {
  return resource.kind === "secrets" ? undefined : published.maps[resource.kind].get(resource.name);
}

function overlay(published: EncodedResources, { lastGood, quarantine }: ClassState): EncodedResources {
  const changed: Partial<Record<Exclude<ResourceKind, "secrets">, Map<string, EncodedResource>>> = {};
  for (const [key, { resource }] of quarantine) {
    const good = lastGood.get(key);
    if (resource.kind === "secrets" || good === undefined || contentOf(published, resource)?.version !== resource.version) continue;
    const map = (changed[resource.kind] ??= new Map(published.maps[resource.kind]));
    map.set(resource.name, good);
  }
  if (Object.keys(changed).length === 0) return published;
  const maps: Record<string, EncodedMap> = { ...published.maps, ...changed };
  return { classKey: published.classKey, maps: maps as unknown as EncodedResources["maps"] };
}
