// What a proxy watches and holds of each type.
import type { EncodedResource } from "../../snapshot/encode.ts";
import { type ResourceShortName, resourceKinds, resourceTypes } from "../../snapshot/type-urls.ts";
import { isSubscribed, type TypeState } from "../state-machine/type-state.ts";
import type { XdsStream } from "../stream.ts";

/** What one proxy watches and holds of one type. */
export interface HeldOfType {
  /** Names, or "*". */
  readonly watched: readonly string[] | "*";
  /** What the proxy has acknowledged and holds. What is on its way, or was rejected, is not in it. */
  readonly resources: readonly EncodedResource[];
  /** Names that were sent and not acknowledged. */
  readonly underWay: readonly string[];
}

/** What a proxy holds, by type, of the types it asked for on any of its streams. */
export function heldOnAll(streams: readonly XdsStream[]): Partial<Record<ResourceShortName, HeldOfType>> {
  const all: Partial<Record<ResourceShortName, HeldOfType>> = {};
  for (const held of streams.map(heldBy)) {
    for (const [short, { watched, resources, underWay }] of Object.entries(held) as [ResourceShortName, HeldOfType][]) {
      const other = all[short];
      all[short] =
        other === undefined
          ? { watched, resources, underWay }
          : {
              watched: other.watched === "*" || watched === "*" ? "*" : [...other.watched, ...watched],
              resources: [...other.resources, ...resources],
              underWay: [...other.underWay, ...underWay],
            };
    }
  }
  return all;
}

function heldBy(stream: XdsStream): Partial<Record<ResourceShortName, HeldOfType>> {
  const held: Partial<Record<ResourceShortName, HeldOfType>> = {};
  for (const kind of resourceKinds) {
    const { typeUrl, short } = resourceTypes[kind];
    const type = stream.state().types.get(typeUrl);
    if (type?.kind === undefined) continue;
    const watched = type.subscription.wildcard ? "*" : [...type.subscription.names];
    held[short] = {
      watched,
      resources: [...type.basis.values()].filter((resource) => holds(type, resource)),
      underWay: [...(type.flight?.updates.keys() ?? [])],
    };
  }
  return held;
}

/** Whether the client has acknowledged this content and holds it still. */
export function holds(type: TypeState, { name, version }: EncodedResource): boolean {
  if (!isSubscribed(type, name) || type.flight?.updates.has(name) === true || type.basis.get(name)?.version !== version)
    return false;
  const dirty = type.dirty.get(name);
  return dirty === undefined || dirty === version;
}
