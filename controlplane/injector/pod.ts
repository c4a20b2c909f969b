// A pod, or the template that pods are made from, as far as injection reads it; all else of it is passed through.
import { type Failure, failed } from "../model/failure.ts";
import { isJsonObject } from "../model/json-object.ts";
import type { Labels } from "../model/labels.ts";

/** What has a name in a list of Kubernetes: a container, a volume. */
export interface Named {
  readonly name: string;
  readonly [field: string]: unknown;
}

export interface PodMetadata {
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly [field: string]: unknown;
}

export interface PodSpecification {
  readonly containers: readonly Named[];
  readonly initContainers: readonly Named[];
  readonly volumes: readonly Named[];
  readonly imagePullSecrets: readonly Named[];
  readonly [field: string]: unknown;
}

export interface PodTemplate {
  readonly metadata: PodMetadata;
  readonly spec: PodSpecification;
}

const lists = ["containers", "initContainers", "volumes", "imagePullSecrets"] as const;

/** Returns the pod in a document's `metadata` and `spec`; a failure where they are not what a pod has. */
export function readPod(value: unknown): PodTemplate | Failure<"malformed"> {
  const { metadata = {}, spec } = isJsonObject(value) ? value : {};
  if (!isJsonObject(metadata ?? {})) return failed("malformed", "metadata must be a map");
  if (!isJsonObject(spec)) return failed("malformed", "spec must be a map");
  const { labels, annotations } = (metadata ?? {}) as Record<string, unknown>;
  for (const [name, said] of Object.entries({ labels, annotations }))
    if (!isTexts(said ?? {})) return failed("malformed", `metadata.${name} must be a map of texts`);
  for (const name of lists)
    if (!isNamedList(spec[name] ?? [])) return failed("malformed", `spec.${name} must be a list of what has a name`);
  const listed = Object.fromEntries(lists.map((name) => [name, spec[name] ?? []]));
  return {
    metadata: { ...(metadata as object), labels: labels ?? {}, annotations: annotations ?? {} } as PodMetadata,
    spec: { ...spec, ...listed } as unknown as PodSpecification,
  };
}

/** Returns the pod as a document has it: what `readPod` put where nothing was written is left out again. */
export function writePod({ metadata, spec }: PodTemplate): Record<string, unknown> {
  return { metadata: filled(metadata, ["labels", "annotations"]), spec: filled(spec, lists) };
}

function filled(part: Readonly<Record<string, unknown>>, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(part).filter(([name, value]) => !names.includes(name) || Object.keys(value as object).length > 0),
  );
}

/** Returns the one of this name. */
export function named(list: readonly Named[], name: string): Named | undefined {
  return list.find((one) => one.name === name);
}

/** Returns the list without those of these names. */
export function without(list: readonly Named[], names: readonly string[]): readonly Named[] {
  return list.filter(({ name }) => !names.includes(name));
}

function isTexts(value: unknown): boolean {
  return isJsonObject(value) && Object.values(value).every((text) => typeof text === "string");
}

function isNamedList(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => isJsonObject(one) && typeof one["name"] === "string");
}
