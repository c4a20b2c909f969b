// The metadata every object has.
import type { Kind } from "../model/kinds.ts";
import { kindDefinitions } from "../model/kinds.ts";
import type { ObjectMeta } from "../model/object.ts";
import { anything, anyText, fields, integer, labelMap, mapOf, opt, type SpecFrom, text } from "../model/schema.ts";
import type { Loose } from "./checks.ts";
import { dnsLabelFault, labelKeyFault, objectNameFault } from "./names.ts";
import { checkShape } from "./shape.ts";
import type { Findings } from "./violation.ts";

const metadataSchema = fields({
  name: text(),
  namespace: opt(anyText()),
  labels: opt(labelMap()),
  annotations: opt(mapOf(anyText())),
  creationTimestamp: opt(text()),
  deletionTimestamp: opt(text()),
  generation: opt(integer(0, Number.MAX_SAFE_INTEGER)),
  // Fields of Kubernetes' ObjectMeta that mean nothing here: known, so that others can be reported.
  uid: opt(anyText()),
  resourceVersion: opt(anyText()),
  selfLink: opt(anyText()),
  generateName: opt(anyText()),
  deletionGracePeriodSeconds: opt(integer()),
  ownerReferences: opt(anything()),
  finalizers: opt(anything()),
  managedFields: opt(anything()),
});

type Metadata = Loose<SpecFrom<typeof metadataSchema>>;

/** Returns the metadata with its defaults, or undefined if it does not name an object. */
export function readMetadata(value: unknown, kind: Kind, findings: Findings): ObjectMeta | undefined {
  if (value === undefined || value === null) return void findings.error(["metadata"], "is required");
  const metadata = checkShape(metadataSchema, value, ["metadata"], findings) as Metadata | undefined;
  if (metadata?.name === undefined) return undefined;
  const { clusterScoped } = kindDefinitions[kind];
  const namespace = clusterScoped ? "" : metadata.namespace || "default";
  const named = checkNames(metadata.name, namespace, kind, findings);
  checkTimes(metadata, findings);
  for (const key of Object.keys(metadata.annotations ?? {})) {
    const fault = labelKeyFault(key);
    if (fault !== undefined) findings.error(["metadata", "annotations", key], fault.replace("label", "annotation"));
  }
  if (!named) return undefined;
  const { name, labels = {}, annotations = {}, creationTimestamp, deletionTimestamp, generation } = metadata;
  return {
    name,
    namespace,
    labels: compact(labels),
    annotations: compact(annotations),
    ...(creationTimestamp !== undefined && { creationTimestamp }),
    ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    ...(generation !== undefined && { generation }),
  };
}

function checkNames(name: string, namespace: string, kind: Kind, findings: Findings): boolean {
  const nameFault = kind === "Service" || kind === "Namespace" ? dnsLabelFault(name) : objectNameFault(name);
  if (nameFault !== undefined) findings.error(["metadata", "name"], nameFault);
  const namespaceFault = namespace === "" ? undefined : dnsLabelFault(namespace);
  if (namespaceFault !== undefined) findings.error(["metadata", "namespace"], namespaceFault);
  return nameFault === undefined && namespaceFault === undefined;
}

function checkTimes(metadata: Metadata, findings: Findings): void {
  for (const field of ["creationTimestamp", "deletionTimestamp"] as const) {
    const time = metadata[field];
    if (time === undefined || /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(time)) continue;
    findings.error(["metadata", field], "must be a time like 2024-05-01T12:00:00Z");
  }
}

function compact(map: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(map).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
