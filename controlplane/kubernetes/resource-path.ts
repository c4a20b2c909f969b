/** What names a resource of an API server; without `name` a list. */
export interface ResourceRef {
  /** "" for the core group. */
  readonly group: string;
  readonly version: string;
  /** As in paths: `virtualservices`. */
  readonly plural: string;
  /** Undefined for what is cluster-scoped, and for a list over all namespaces. */
  readonly namespace?: string | undefined;
  readonly name?: string;
  readonly subresource?: string;
}

/** Returns the resource's path at the API server. */
export function resourcePath({ group, version, plural, namespace, name, subresource }: ResourceRef): string {
  const parts = [
    ...(group === "" ? ["api", version] : ["apis", group, version]),
    ...(namespace === undefined ? [] : ["namespaces", namespace]),
    plural,
    ...(name === undefined ? [] : [name]),
    ...(subresource === undefined ? [] : [subresource]),
  ];
  return `/${parts.map(encodeURIComponent).join("/")}`;
}
