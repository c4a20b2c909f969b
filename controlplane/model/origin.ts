// Where something of the mesh comes from: a place in a file, or a version of an object in a cluster.
import { dirname, resolve } from "node:path";

export type Origin = FileOrigin | KubernetesOrigin;

/** A place in a file. Lines and columns count from 1. */
export interface FileOrigin {
  readonly kind: "file";
  readonly path: string;
  readonly line: number;
  readonly column: number;
}

/** A version of an object that an API server holds. */
export interface KubernetesOrigin {
  readonly kind: "kubernetes";
  /** As in `VirtualService/default/reviews`. */
  readonly object: string;
  /** Stays while the object changes; another object that takes its name has another. */
  readonly uid: string;
  /** "" for a whole kind. */
  readonly resourceVersion: string;
}

/** Returns a place in a file: its beginning, unless told otherwise. */
export function fileOrigin(path: string, line = 1, column = 1): FileOrigin {
  return { kind: "file", path, line, column };
}

/**
 * Returns where something stands, for people: `file:line:column` (`file:line` where no one looks for more), or
 * `Kind/namespace/name (resourceVersion 17)`.
 */
export function describeOrigin(origin: Origin, precision: "column" | "line" = "column"): string {
  if (origin.kind === "kubernetes")
    return origin.resourceVersion === ""
      ? origin.object
      : `${origin.object} (resourceVersion ${origin.resourceVersion})`;
  const { path, line, column } = origin;
  return precision === "line" ? `${path}:${line}` : `${path}:${line}:${column}`;
}

/** Returns the absolute folder that relative paths are taken from; undefined where an object has none. */
export function baseFolderOf(origin: Origin): string | undefined {
  return origin.kind === "file" ? dirname(resolve(origin.path)) : undefined;
}

/** Returns what names the unit (see SourceUnit) that something is part of: the file's path, or the object's uid. */
export function unitOf(origin: Origin): string {
  return origin.kind === "file" ? origin.path : origin.uid;
}

/** Whether two origins are one place, or one version of one object. */
export function haveSameOrigin(a: Origin, b: Origin): boolean {
  return compareOrigins(a, b) === 0;
}

/** Orders origins: files by path, line and column, then objects of a cluster by their names. */
export function compareOrigins(a: Origin, b: Origin): number {
  if (a.kind === "file" && b.kind === "file") return order(a.path, b.path) || a.line - b.line || a.column - b.column;
  if (a.kind === "kubernetes" && b.kind === "kubernetes")
    return order(a.object, b.object) || order(a.uid, b.uid) || order(a.resourceVersion, b.resourceVersion);
  return a.kind === "file" ? -1 : 1;
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
