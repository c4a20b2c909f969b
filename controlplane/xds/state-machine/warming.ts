// A cluster that is new or changed warms in Envoy until its endpoints arrive: which ones have to be sent for that.
import type { EncodedMap, EncodedResource } from "../../snapshot/encode.ts";
import { resourceTypes } from "../../snapshot/type-urls.ts";
import type { StreamRequest } from "./stream-events.ts";
import { type StreamState, withType } from "./stream-state.ts";
import { askAgain } from "./type-state.ts";

const ENDPOINTS = resourceTypes.endpoints.typeUrl;
const NO_CLUSTERS: EncodedMap = new Map();

/**
 * Endpoints of clusters that came on another stream: this one cannot know when, so they are sent when the client has
 * said that it took the clusters.
 */
export function warm(state: StreamState, clusters: readonly EncodedResource[]): StreamState {
  const endpoints = state.types.get(ENDPOINTS);
  if (endpoints === undefined) return noteWarming(state, state.content?.clusters ?? NO_CLUSTERS, clusters);
  return withType(state, ENDPOINTS, askAgain(endpoints, endpointNamesOf(clusters)));
}

/** These clusters left before any endpoints were asked for; `basis`: all of which the client is told. */
export function noteWarming(state: StreamState, basis: EncodedMap, clusters: readonly EncodedResource[]): StreamState {
  return { ...state, warming: [...stillIn(basis, state.warming), clusters] };
}

/** A client that never asks for endpoints has what changed since on no list. */
function stillIn(basis: EncodedMap, warming: StreamState["warming"]): StreamState["warming"] {
  return warming
    .map((clusters) => clusters.filter((cluster) => basis.get(cluster.name) === cluster))
    .filter(({ length }) => length > 0);
}

/**
 * A client that comes back has endpoints, but not for the clusters that changed meanwhile: these warm until theirs are
 * sent, whatever it says it has.
 */
export function withoutWarming(request: StreamRequest, warming: StreamState["warming"]): StreamRequest {
  const versions = request.dialect === "delta" ? Object.entries(request.initialVersions) : [];
  if (request.dialect !== "delta" || versions.length === 0) return request;
  const names = new Set(endpointNamesOf(warming.flat()));
  return { ...request, initialVersions: Object.fromEntries(versions.filter(([name]) => !names.has(name))) };
}

/** The names of the endpoints that these clusters have from us. */
export function endpointNamesOf(clusters: readonly EncodedResource[]): string[] {
  const names: string[] = [];
  for (const { references } of clusters)
    for (const { kind, name } of references) if (kind === "endpoints") names.push(name);
  return names;
}
