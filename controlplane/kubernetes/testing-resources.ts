// The objects of an API server for tests: their versions, what changed since one, and how much of that is forgotten.

/** A kind as discovery tells of it. */
export interface TestResource {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

export interface StoredObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

export interface StoredEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: StoredObject;
  readonly version: number;
  readonly resource: string;
}

/** Returns the resources' objects, none yet, from version 100 on. */
export function createTestResources() {
  const resources = new Map<string, TestResource>();
  const objects = new Map<string, Map<string, StoredObject>>();
  let events: StoredEvent[] = [];
  let version = 100;
  let forgotten = 0;
  let made = 0;
  const listeners = new Set<(event: StoredEvent) => void>();

  const resourceOf = ({ apiVersion, kind }: StoredObject): string => {
    const found = [...resources].find(
      ([, one]) => one.kind === kind && (one.group === "" ? one.version : `${one.group}/${one.version}`) === apiVersion,
    );
    if (!found) throw new Error(`the test's API server has no ${apiVersion} ${kind}`);
    return found[0];
  };
  const tell = (type: StoredEvent["type"], resource: string, object: StoredObject): void => {
    const event = { type, object, version, resource };
    events.push(event);
    for (const listener of [...listeners]) listener(event);
  };
  const tableOf = (resource: string) => objects.get(resource) ?? new Map<string, StoredObject>();

  return {
    add(resource: TestResource) {
      const key = resourceKey(resource);
      resources.set(key, resource);
      objects.set(key, new Map());
    },
    drop(resource: TestResource) {
      const key = resourceKey(resource);
      resources.delete(key);
      for (const object of tableOf(key).values()) {
        version++;
        tell("DELETED", key, object);
      }
      objects.delete(key);
    },
    resources: (): readonly TestResource[] => [...resources.values()],
    has: (resource: string) => resources.has(resource),
    get: (resource: string, name: string) => tableOf(resource).get(name),
    /** By namespace and name, as an API server's lists are. */
    list: (resource: string): readonly StoredObject[] =>
      [...tableOf(resource)].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object),
    version: () => version,
    put(sent: StoredObject): StoredObject {
      const resource = resourceOf(sent);
      const isNamespaced = resources.get(resource)!.namespaced;
      const namespace = isNamespaced ? (sent.metadata.namespace ?? "default") : undefined;
      const name = namespace === undefined ? sent.metadata.name : `${namespace}/${sent.metadata.name}`;
      const before = tableOf(resource).get(name);
      version++;
      const object: StoredObject = {
        ...sent,
        metadata: {
          ...sent.metadata,
          ...(namespace !== undefined && { namespace }),
          uid: before?.metadata.uid ?? `uid-${++made}`,
          resourceVersion: String(version),
          creationTimestamp: before?.metadata["creationTimestamp"] ?? "2026-01-01T00:00:00Z",
          managedFields: [{ manager: "kubectl", operation: "Update" }],
        },
      };
      tableOf(resource).set(name, object);
      tell(before ? "MODIFIED" : "ADDED", resource, object);
      return object;
    },
    remove(resource: string, name: string): StoredObject | undefined {
      const before = tableOf(resource).get(name);
      if (!before) return undefined;
      tableOf(resource).delete(name);
      version++;
      const last = { ...before, metadata: { ...before.metadata, resourceVersion: String(version) } };
      tell("DELETED", resource, last);
      return last;
    },
    /** Forgets what was before now. */
    compact() {
      forgotten = version;
      events = [];
    },
    /** Undefined: too old. */
    since: (resource: string, from: number): readonly StoredEvent[] | undefined =>
      from < forgotten ? undefined : events.filter((event) => event.resource === resource && event.version > from),
    follow(listener: (event: StoredEvent) => void): () => void {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

export type TestResources = ReturnType<typeof createTestResources>;

/** Returns what a resource is known by: `apps/v1/deployments`, `v1/pods`. */
export function resourceKey({ group, version, plural }: Omit<TestResource, "kind" | "namespaced">): string {
  return group === "" ? `${version}/${plural}` : `${group}/${version}/${plural}`;
}
