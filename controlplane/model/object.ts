// The identity, metadata and origin of every object of the mesh.
import { isDeepStrictEqual } from "node:util";
import type { Kind, SpecOf } from "./kinds.ts";
import type { Origin } from "./origin.ts";

/** The part of Kubernetes' ObjectMeta that the mesh reads. `namespace` is "" for cluster-scoped kinds. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly creationTimestamp?: string;
  readonly generation?: number;
  readonly deletionTimestamp?: string;
}

/**
 * One accepted object, deep-frozen except for `origin`.
 * For kinds whose payload is not under `spec`, `spec` holds the document's other top-level fields
 * (Secret, ConfigMap, EndpointSlice); a Pod's `spec` also holds its `status`.
 */
export interface MeshObject<K extends Kind = Kind> {
  readonly kind: K;
  readonly apiVersion: string;
  readonly metadata: ObjectMeta;
  readonly spec: SpecOf<K>;
  /**
   * Kept up to date in place when the text around the object moves, or when a version says the same: it is no part of
   * the object's content. Copy it to keep it.
   */
  readonly origin: Origin;
}

/** What names an object: enough to say which one, before anything else about it is known to be right. */
export interface ObjectRef {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
}

/** Returns `Kind/namespace/name`, or `Kind/name` for cluster-scoped objects: the key and the name people read. */
export function objectKey(ref: ObjectRef): string {
  return ref.namespace === "" ? `${ref.kind}/${ref.name}` : `${ref.kind}/${ref.namespace}/${ref.name}`;
}

/** Returns the reference of an object. */
export function refOf(object: MeshObject): ObjectRef {
  return { kind: object.kind, namespace: object.metadata.namespace, name: object.metadata.name };
}

/** Orders objects as Istio does: oldest first (no creation time counts as oldest), then name, then namespace. */
export function compareByAge(a: MeshObject, b: MeshObject): number {
  return (
    compareText(a.metadata.creationTimestamp ?? "", b.metadata.creationTimestamp ?? "") ||
    compareText(a.metadata.name, b.metadata.name) ||
    compareText(a.metadata.namespace, b.metadata.namespace)
  );
}

/** Compares by code unit, so that the order never depends on the machine's locale. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Whether two objects say the same, wherever they are written. */
export function haveSameContent(a: MeshObject, b: MeshObject): boolean {
  return (
    a.apiVersion === b.apiVersion && isDeepStrictEqual(a.metadata, b.metadata) && isDeepStrictEqual(a.spec, b.spec)
  );
}
