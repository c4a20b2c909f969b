// How far contents have come: at each proxy what it watches and holds, and of each resource who has it, who waits, who
// rejected it and why.
import type { EncodedResource } from "../snapshot/encode.ts";
import type { ResourceKind } from "../snapshot/resources.ts";
import { type ResourceShortName, resourceKinds, resourceTypes } from "../snapshot/type-urls.ts";
import type { Withheld } from "./acceptance.ts";
import { isSubscribed, type TypeState } from "./type-state.ts";
import { routeConfigurationOf } from "../snapshot/consistency.ts";
import type { XdsStream } from "./stream.ts";

/** "Reached 97 of 100 proxies, 3 rejected it: why." */
export interface ResourceReach {
  /** Proxies whose content it is and that ask for it (or that have yet to drop it). */
  readonly of: number;
  readonly reached: number;
  /** Node ids of those that have not acknowledged it. */
  readonly waiting: readonly string[];
  /** Those that are served an earlier content of it, or none, because they or another rejected this one. */
  readonly refused: readonly { readonly nodeId: string; readonly reason: string }[];
}

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

export interface ReachOptions {
  readonly streams: Iterable<XdsStream>;
  /** Something newer was announced to it, which its state does not know yet: nothing can be said to have reached it. */
  readonly isStale: (stream: XdsStream) => boolean;
  readonly withheldFrom: (stream: XdsStream) => readonly Withheld[];
}

/**
 * How far the content under a name has come that each proxy is to have; a name that is nowhere published any more has
 * reached who dropped it.
 */
export function reachOf(
  kind: ResourceKind,
  name: string,
  { streams, isStale, withheldFrom }: ReachOptions,
): ResourceReach {
  const waiting: string[] = [];
  const refused: { nodeId: string; reason: string }[] = [];
  let of = 0,
    reached = 0;
  for (const stream of streams) {
    const nodeId = stream.proxy?.node.id;
    const outcome =
      nodeId === undefined
        ? undefined
        : isStale(stream)
          ? "waiting"
          : outcomeAt(stream, kind, name, withheldFrom(stream));
    if (nodeId === undefined || outcome === undefined) continue;
    of++;
    if (outcome === "reached") reached++;
    else if (outcome === "waiting") waiting.push(nodeId);
    else refused.push({ nodeId, reason: outcome.reason });
  }
  return { of, reached, waiting, refused };
}

type Outcome = "reached" | "waiting" | { readonly reason: string } | undefined;

function outcomeAt(stream: XdsStream, kind: ResourceKind, name: string, withheld: readonly Withheld[]): Outcome {
  const where = placeOf(stream, kind, name);
  const type = stream.state().types.get(resourceTypes[where.kind].typeUrl);
  if (type?.kind === undefined || !isSubscribed(type, where.name)) return undefined;
  const wanted =
    where.kind === "secrets" || stream.published === undefined
      ? type.basis.get(where.name)
      : stream.published.maps[kind as Exclude<ResourceKind, "secrets">].get(name);
  const bad = withheld.find(({ resource }) => resource.kind === where.kind && resource.name === where.name);
  if (bad !== undefined) return { reason: bad.reason };
  const basis = type.basis.get(where.name);
  if (wanted === undefined && basis === undefined)
    return type.dirty.has(where.name) || type.flight?.removed.includes(where.name) === true ? "waiting" : undefined;
  if (basis !== undefined && type.refused.get(where.name) === basis.version)
    return { reason: type.rejection?.reason ?? "rejected" };
  // A route with its hosts inside has a version of its own; it reached whom it reached whole.
  const isWanted =
    basis !== undefined &&
    (wanted?.version === basis.version || (where.kind === "routes" && stream.kind.dialect === "sotw"));
  return isWanted && holds(type, basis) ? "reached" : "waiting";
}

/** In the state of the world a virtual host is a part of its route configuration. */
function placeOf(
  stream: XdsStream,
  kind: ResourceKind,
  name: string,
): { readonly kind: ResourceKind; readonly name: string } {
  return kind === "virtualHosts" && stream.kind.dialect === "sotw"
    ? { kind: "routes", name: routeConfigurationOf(name) }
    : { kind, name };
}
