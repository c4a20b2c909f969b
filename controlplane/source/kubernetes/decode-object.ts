// Consumes: an object as an API server sends it.
// Produces: what the mesh reads of it: a tenth of a Pod, and nothing of who wrote which field when.
// Never does: judge; what is not as it should be is kept for validation to say.
import { isJsonObject } from "../../model/json-object.ts";
import { kindDefinitions } from "../../model/kinds.ts";
import { TOPOLOGY_LABELS } from "../../model/labels.ts";
import type { WatchedKind } from "./watched-kinds.ts";

/** What is kept of an object. */
export interface ClusterObject {
  readonly kind: WatchedKind["kind"];
  readonly name: string;
  /** "" for what is cluster-scoped. */
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The document, as it will be validated. */
  readonly value: Readonly<Record<string, unknown>>;
  /** Where a Pod runs; "" until it does. */
  readonly node: string;
}

/** What a Pod's containers hold that is read of the templates of pods that are run on this machine, and only there. */
const OF_TEMPLATES: ReadonlySet<string> = new Set(["env", "readinessProbe", "securityContext"]);

const METADATA = ["name", "namespace", "labels", "creationTimestamp", "deletionTimestamp", "generation"] as const;
/** The whole object once more, as kubectl sent it. */
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

/** Returns what is kept of an object of this kind, read in this version. */
export function decodeObject(
  { kind, group }: Pick<WatchedKind, "kind" | "group">,
  version: string,
  object: Readonly<Record<string, unknown>>,
): ClusterObject {
  const { metadata, spec } = object;
  const kept = keptMetadata(metadata);
  const { name, namespace, labels } = kept;
  return {
    kind,
    name: typeof name === "string" ? name : "",
    namespace: typeof namespace === "string" ? namespace : "",
    labels: isJsonObject(labels) ? (labels as Record<string, string>) : {},
    node: kind === "Pod" && isJsonObject(spec) && typeof spec["nodeName"] === "string" ? spec["nodeName"] : "",
    value: {
      // Items of a list do not say what they are.
      ...{ apiVersion: group === "" ? version : `${group}/${version}`, kind, metadata: kept },
      ...(kind === "Node" ? {} : payloadOf(kind, object)),
    },
  };
}

function keptMetadata(metadata: unknown): Record<string, unknown> {
  if (!isJsonObject(metadata)) return {};
  const kept: Record<string, unknown> = {};
  for (const field of METADATA) if (metadata[field] !== undefined) kept[field] = metadata[field];
  const annotations: unknown = metadata["annotations"];
  if (!isJsonObject(annotations)) return kept;
  const rest = Object.entries(annotations).filter(([name]) => name !== LAST_APPLIED);
  return rest.length === 0 ? kept : { ...kept, annotations: Object.fromEntries(rest) };
}

/** Of kinds that are not described whole, only what is described. */
function payloadOf(kind: Exclude<WatchedKind["kind"], "Node">, object: Readonly<Record<string, unknown>>): object {
  const { payload, schema } = kindDefinitions[kind];
  const { apiVersion: _apiVersion, kind: _kind, metadata: _metadata, spec, status, ...rest } = object;
  const pruned = (value: unknown) => prune(schema as Schema, value);
  if (payload === "top") return pruned(rest) as object;
  const isPruned = schema["additionalProperties"] !== false;
  return {
    // What is misplaced at the top is said, where a kind is described whole.
    ...(isPruned ? {} : rest),
    ...(spec !== undefined && { spec: kind === "Pod" ? withoutTemplates(pruned(spec)) : pruned(spec) }),
    ...(payload === "spec+status" && status !== undefined && { status: statusOf(schema as Schema, status) }),
  };
}

function withoutTemplates(spec: unknown): unknown {
  if (!isJsonObject(spec) || !Array.isArray(spec["containers"])) return spec;
  const containers = spec["containers"].map((container: unknown) =>
    isJsonObject(container)
      ? Object.fromEntries(Object.entries(container).filter(([field]) => !OF_TEMPLATES.has(field)))
      : container,
  );
  return { ...spec, containers };
}

function statusOf({ properties = {} }: Schema, status: unknown): unknown {
  return properties["status"] === undefined ? status : prune(properties["status"], status);
}

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean;
  readonly items?: Schema;
}

/** Leaves out what a schema allows without saying a word about it. */
function prune({ properties, additionalProperties, items }: Schema, value: unknown): unknown {
  if (Array.isArray(value)) return items === undefined ? value : value.map((item) => prune(items, item));
  if (!isJsonObject(value) || properties === undefined) return value;
  const kept: Record<string, unknown> = {};
  for (const [name, inner] of Object.entries(value)) {
    const schema = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (schema !== undefined) kept[name] = prune(schema, inner);
    else if (additionalProperties !== true) kept[name] = inner;
  }
  return kept;
}

/** Returns what a Node says of where its pods are. */
export function topologyOfNode({ labels }: ClusterObject): Readonly<Record<string, string>> {
  return Object.fromEntries(TOPOLOGY_LABELS.flatMap((name) => (labels[name] ? [[name, labels[name]]] : [])));
}
