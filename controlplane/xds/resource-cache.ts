// consumes: Envoy resources by group and name, as some program or test puts them in
// produces: what an XdsServer serves each group, encoded, with only what changed new
// never does: translate anything, or know what a mesh is
import {
  createResourceEncoder,
  type EncodedMap,
  type EncodedResource,
  type EncodedResources,
  noResources,
  type ResourceEncoder,
} from "../snapshot/encode.ts";
import type { ResourceKind, ResourceMessages } from "../snapshot/resources.ts";
import { findProblems, type SnapshotProblem } from "../snapshot/consistency.ts";
import type { Proxy } from "./node.ts";
import type { XdsServerOptions } from "./server-options.ts";

/** Kinds of resources that a group of proxies shares. Secrets belong to one identity and are not kept here. */
export type SharedKind = Exclude<ResourceKind, "secrets">;

/** What one group of nodes is served. */
export interface ResourceGroup {
  /**
   * Puts a resource in, or another content in its place; the message is not to be changed afterwards. Virtual hosts are
   * named `<route configuration>/<name>`. Throws MessageShapeError for a message that cannot be encoded.
   */
  set<K extends SharedKind>(kind: K, name: string, message: ResourceMessages[K]): void;
  /** False when there was none. */
  delete(kind: SharedKind, name: string): boolean;
  names(kind: SharedKind): readonly string[];
  /** Names inside the resources that resolve to nothing in the group: a cluster that a route leads to, and the like. */
  problems(): readonly SnapshotProblem[];
}

export interface ResourceCache {
  /** The group of that name, made when it is first asked for. */
  group(name: string): ResourceGroup;
  /** Forgets a group; its proxies keep what they have. */
  drop(name: string): void;
  /**
   * Tells what was changed since the last time to the proxies. Until then they see nothing of it: several changes
   * travel as one.
   */
  publish(): void;
  /**
   * What createXdsServer needs of the cache; `groupOf` gives a proxy's group, undefined for one that is to wait. Call
   * `onPublish` with the server's notify.
   */
  source(groupOf: (proxy: Proxy) => string | undefined): Pick<XdsServerOptions, "resourcesFor" | "encoder">;
  /** Called after each publish, as with a server's `notify`. */
  onPublish(notify: () => void): void;
}

type Maps = { -readonly [K in SharedKind]: EncodedMap };

interface GroupState {
  published: EncodedResources;
  next: Maps;
}

/** An empty cache. */
export function createResourceCache(): ResourceCache {
  const encoder = createResourceEncoder();
  const groups = new Map<string, GroupState>();
  const listeners: (() => void)[] = [];
  const stateOf = (name: string): GroupState => {
    const known = groups.get(name);
    if (known !== undefined) return known;
    const published = noResources(name);
    const state = { published, next: { ...published.maps } };
    groups.set(name, state);
    return state;
  };
  return {
    group: (name) => createGroup(() => stateOf(name), encoder),
    drop: (name) => void groups.delete(name),
    publish() {
      for (const state of groups.values()) {
        const { maps, classKey } = state.published;
        if (Object.keys(maps).some((kind) => maps[kind as SharedKind] !== state.next[kind as SharedKind]))
          state.published = { classKey, maps: { ...state.next } };
      }
      for (const notify of listeners) notify();
    },
    source: (groupOf) => ({
      encoder,
      resourcesFor(proxy) {
        const name = groupOf(proxy);
        return name === undefined ? undefined : groups.get(name)?.published;
      },
    }),
    onPublish: (notify) => void listeners.push(notify),
  };
}

/** Maps are never changed after they were published: a change makes a new one. */
function createGroup(state: () => GroupState, encoder: ResourceEncoder): ResourceGroup {
  const editable = (kind: SharedKind): Map<string, EncodedResource> => {
    const { published, next } = state();
    const map =
      next[kind] === published.maps[kind] ? new Map(next[kind]) : (next[kind] as Map<string, EncodedResource>);
    next[kind] = map;
    return map;
  };
  return {
    set(kind, name, message) {
      const resource = encoder.encodeResource(kind, name, message);
      if (state().next[kind].get(name) !== resource) editable(kind).set(name, resource);
    },
    delete: (kind, name) => state().next[kind].has(name) && editable(kind).delete(name),
    names: (kind) => [...state().next[kind].keys()],
    problems: () =>
      findProblems(
        { classKey: "", maps: state().next },
        () => false,
        () => true,
      ),
  };
}
