// Consumes: what changed of a cluster's objects.
// Produces: the units that are different now: what is of the mesh, with what other objects say about it.
// Never does: I/O; or tell of an object twice that is the same.
import type { SourceUnit } from "../../model/document.ts";
import { isKind } from "../../model/kinds.ts";
import { type Labels, TOPOLOGY_LABELS } from "../../model/labels.ts";
import { objectKey } from "../../model/object.ts";
import type { KubernetesOrigin } from "../../model/origin.ts";
import type { Changes } from "../../kubernetes/known-objects.ts";
import { type ClusterObject, topologyOfNode } from "./decode-object.ts";
import { mayNameSecrets, type NamedSecrets, namedSecrets } from "./named-secrets.ts";
import { isForRevision, isNamespaceInScope, meshConfigName, namespacesOfMesh, type Scope } from "./scope.ts";

/** Where the rest of the control plane looks for the mesh's settings, whatever they are called in the cluster. */
const MESH_CONFIG = { namespace: "istio-system", name: "istio" } as const;

export interface ClusterView {
  take(changes: Changes<ClusterObject>): void;
  /** Returns the units that are others since the last call; what is gone holds no documents. */
  takeUnits(): readonly SourceUnit[];
  /** Returns the Secrets that what is there names. */
  namedSecrets(): NamedSecrets;
}

interface Held {
  readonly version: string;
  readonly object: ClusterObject;
}

/** Returns the view of a cluster of which nothing is known. */
export function createClusterView(own: Pick<Scope, "namespace" | "revision">): ClusterView {
  return new View(own);
}

class View implements ClusterView {
  private readonly held = new Map<string, Held>();
  private readonly told = new Set<string>();
  private readonly changed = new Set<string>();
  /** By uid, of what the scope and other objects hang on. */
  private readonly namespaces = new Map<string, ClusterObject>();
  private readonly nodes = new Map<string, ClusterObject>();
  private readonly naming = new Map<string, ClusterObject>();
  /** By name. */
  private topologies = new Map<string, Readonly<Record<string, string>>>();
  /** Whether a namespace is of the mesh. */
  private isSelected: (namespace: string) => boolean = () => true;
  private scope: Scope;
  /** Undefined: to be worked out anew. */
  private named: NamedSecrets | undefined;

  constructor(own: Pick<Scope, "namespace" | "revision">) {
    this.scope = { ...own, discoverySelectors: [] };
  }

  take({ put, gone }: Changes<ClusterObject>): void {
    for (const uid of gone) this.forget(uid);
    for (const { uid, resourceVersion, value } of put) this.hold(uid, { version: resourceVersion, object: value });
  }

  takeUnits(): readonly SourceUnit[] {
    const units = [...this.changed].flatMap((uid) => this.unitOf(uid) ?? []);
    this.changed.clear();
    return units;
  }

  namedSecrets(): NamedSecrets {
    this.named ??= namedSecrets(this.naming.values(), () => this.pods());
    return this.named;
  }

  private *pods(): Iterable<ClusterObject> {
    for (const { object } of this.held.values()) if (object.kind === "Pod") yield object;
  }

  private hold(uid: string, held: Held): void {
    const { object } = held;
    if (object.kind === "Node") {
      this.nodes.set(uid, object);
      return this.readTopologies();
    }
    if (this.concernsSecrets(object, this.held.get(uid)?.object)) this.named = undefined;
    this.held.set(uid, held);
    this.changed.add(uid);
    if (mayNameSecrets(object)) this.naming.set(uid, object);
    if (object.kind === "Namespace") this.namespaces.set(uid, object);
    if (object.kind === "Namespace" || this.isMeshConfig(object)) this.readScope();
  }

  private forget(uid: string): void {
    if (this.nodes.delete(uid)) return this.readTopologies();
    const before = this.held.get(uid)?.object;
    if (before && this.concernsSecrets(before, undefined)) this.named = undefined;
    this.held.delete(uid);
    this.naming.delete(uid);
    this.changed.add(uid);
    if (this.namespaces.delete(uid) || (before && this.isMeshConfig(before))) this.readScope();
  }

  private concernsSecrets(object: ClusterObject, before: ClusterObject | undefined): boolean {
    const isMoved = () => JSON.stringify(before?.labels) !== JSON.stringify(object.labels);
    return mayNameSecrets(object) || (object.kind === "Pod" && this.naming.size > 0 && isMoved());
  }

  private isMeshConfig({ kind, namespace, name }: ClusterObject): boolean {
    const { namespace: own, revision } = this.scope;
    return kind === "ConfigMap" && namespace === own && name === meshConfigName(revision);
  }

  /** Namespaces come into the mesh or leave it, with all that is in them. */
  private readScope(): void {
    const config = [...this.held.values()].find(({ object }) => this.isMeshConfig(object))?.object;
    const labels = new Map([...this.namespaces.values()].map((one) => [one.name, one.labels]));
    const scope = { ...this.scope, ...namespacesOfMesh(config) };
    const isSelected = (name: string) => name === "" || isNamespaceInScope(scope, name, labels.get(name) ?? {});
    for (const [uid, { object }] of this.held)
      if (isSelected(object.namespace) !== this.isSelected(object.namespace)) this.changed.add(uid);
    this.scope = scope;
    this.isSelected = isSelected;
  }

  private readTopologies(): void {
    const before = this.topologies;
    this.topologies = new Map([...this.nodes.values()].map((node) => [node.name, topologyOfNode(node)]));
    const others = new Set(
      [...new Set([...before.keys(), ...this.topologies.keys()])].filter(
        (name) => JSON.stringify(before.get(name) ?? {}) !== JSON.stringify(this.topologies.get(name) ?? {}),
      ),
    );
    if (others.size === 0) return;
    for (const [uid, { object }] of this.held) if (others.has(object.node)) this.changed.add(uid);
  }

  /** Undefined: it is not of the mesh, and was not. */
  private unitOf(uid: string): SourceUnit | undefined {
    const held = this.held.get(uid);
    if (held && this.isSelected(held.object.namespace) && isForRevision(this.scope, held.object)) {
      this.told.add(uid);
      return unit(uid, [this.documentOf(uid, held)]);
    }
    return this.told.delete(uid) ? unit(uid, []) : undefined;
  }

  private documentOf(uid: string, { version, object }: Held): SourceUnit["documents"][number] {
    const { kind, namespace, name } = object;
    const key = isKind(kind) ? objectKey({ kind, namespace, name }) : kind;
    const origin: KubernetesOrigin = { kind: "kubernetes", object: key, uid, resourceVersion: version };
    return { value: this.valueOf(object), locate: () => ({ ...origin }) };
  }

  private valueOf(object: ClusterObject): unknown {
    const { value, node } = object;
    if (this.isMeshConfig(object)) return { ...value, metadata: { ...(value["metadata"] as object), ...MESH_CONFIG } };
    const metadata = value["metadata"] as { readonly annotations?: Readonly<Record<string, string>> };
    const missing = missingTopology(this.topologies.get(node) ?? {}, { ...metadata.annotations, ...object.labels });
    if (Object.keys(missing).length === 0) return value;
    // As annotations: labels are what selectors go by.
    const annotations = { ...missing, ...metadata.annotations };
    return { ...value, metadata: { ...metadata, annotations } };
  }
}

/** A pod that says itself that it is elsewhere (or was given its node's labels in part) is not contradicted. */
function missingTopology(ofNode: Labels, said: Labels): Labels {
  const saidOf = TOPOLOGY_LABELS.filter((name) => said[name] !== undefined);
  if (saidOf.some((name) => said[name] !== ofNode[name])) return {};
  return Object.fromEntries(Object.entries(ofNode).filter(([name]) => said[name] === undefined));
}

function unit(id: string, documents: SourceUnit["documents"]): SourceUnit {
  return { id, documents, problems: [], settled: true };
}
