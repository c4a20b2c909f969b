// What the last publication met, in the form of Istio's /debug/push_status: metric → key → which proxy, and what.
import type { ClusterLoadAssignment } from "../../../protos/build/envoy.ts";
import { decode } from "../../../protos/codec.ts";
import type { EncodedResource } from "../../snapshot/encode.ts";
import type { StoreViolation } from "../../store/objects-in-force.ts";
import type { Rejection } from "../contract.ts";
import { LazyRecord } from "../json-pieces.ts";
import type { DebugConnection } from "./connection.ts";

export interface PushSources {
  readonly connections: readonly DebugConnection[];
  readonly violations: readonly StoreViolation[];
  readonly rejections: readonly { readonly nodeId: string; readonly rejections: readonly Rejection[] }[];
}

type PushEvents = Record<string, { proxy?: string; message?: string }>;

/** Returns the events by metric; a metric without events is left out. */
export function pushStatus(sources: PushSources): LazyRecord {
  return new LazyRecord(() => eventsOf(sources));
}

function* eventsOf({
  connections,
  violations,
  rejections,
}: PushSources): Iterable<readonly [string, PushEvents] | undefined> {
  const empty: PushEvents = {};
  for (const { held } of connections) {
    noteEmptyClusters(held("endpoints"), empty);
    yield undefined;
  }
  const events: Record<string, PushEvents> = {
    pilot_eds_no_instances: empty,
    pilot_total_xds_rejects: Object.fromEntries(
      rejections.flatMap(({ nodeId, rejections: refused }) =>
        refused.map(
          ({ type, resources, message }) =>
            [`${nodeId} ${type} ${resources.join(",")}`, { proxy: nodeId, message }] as const,
        ),
      ),
    ),
    pilot_invalid_objects: Object.fromEntries(
      violations
        .filter(({ severity }) => severity !== "warning")
        .map(({ object, field, message }) => [`${object} ${field}`.trim(), { message }] as const),
    ),
  };
  yield* Object.entries(events).filter(([, byKey]) => Object.keys(byKey).length > 0);
}

const emptiness = new WeakMap<EncodedResource, boolean>();

/** Clusters without an endpoint; each content is looked into once, whoever holds it. */
function noteEmptyClusters(endpoints: readonly EncodedResource[], empty: PushEvents): void {
  for (const resource of endpoints) if (isEmpty(resource)) empty[resource.name] = {};
}

function isEmpty(resource: EncodedResource): boolean {
  let known = emptiness.get(resource);
  if (known === undefined) {
    const value = decode("Resource", resource.bytes).resource?.value;
    const assignment: ClusterLoadAssignment = value === undefined ? {} : decode("ClusterLoadAssignment", value);
    known = (assignment.endpoints ?? []).every(({ lbEndpoints }) => (lbEndpoints ?? []).length === 0);
    emptiness.set(resource, known);
  }
  return known;
}
