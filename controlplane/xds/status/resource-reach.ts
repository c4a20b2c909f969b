// How far a content has come: which proxies have it, who waits, who rejected it and why.
import { routeConfigurationOf } from "../../snapshot/consistency.ts";
import type { ResourceKind } from "../../snapshot/resources.ts";
import { resourceTypes } from "../../snapshot/type-urls.ts";
import type { Withheld } from "../rejections/quarantine.ts";
import { isSubscribed } from "../state-machine/type-state.ts";
import type { XdsStream } from "../stream.ts";
import { holds } from "./held.ts";

/** "Reached 97 of 100 proxies, 3 rejected it: why." */
export interface ResourceReach {
  /** Proxies whose content it is and that ask for it (or that have yet to drop it). */
  readonly of: number;
  readonly reached: number;
  /** Node ids of those that have not acknowledged it. */
  readonly waiting: readonly string[];
  /** Those that are served an earlier content of it, or none, because they or another rejected this one. */
  readonly rejected: readonly { readonly nodeId: string; readonly reason: string }[];
}

export interface ReachContext {
  readonly streams: Iterable<XdsStream>;
  /** Something newer was announced to it, which its state does not know yet: nothing can be said to have reached it. */
  readonly isStale: (stream: XdsStream) => boolean;
  readonly withheldFrom: (stream: XdsStream) => readonly Withheld[];
}

/**
 * How far the content under a name has come that each proxy is to have; a name that is nowhere published any more has
 * reached who dropped it.
 */
export function reachOfResource(
  kind: ResourceKind,
  name: string,
  { streams, isStale, withheldFrom }: ReachContext,
): ResourceReach {
  const waiting: string[] = [];
  const rejected: { nodeId: string; reason: string }[] = [];
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
    else rejected.push({ nodeId, reason: outcome.reason });
  }
  return { of, reached, waiting, rejected };
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
  const rejected = type.rejected.get(where.name);
  if (basis !== undefined && rejected?.version === basis.version) return { reason: rejected.reason };
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
