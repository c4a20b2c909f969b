// Consumes: how far the proxies of this control plane have come.
// Produces: that, where the others of its namespace read it: an annotation of a Lease under its pod's name.
// Never does: write what it says already, or more often than every few seconds.
import { isJsonObject } from "../model/json-object.ts";
import type { ApiClient } from "../kubernetes/api-client.ts";
import { resourcePath } from "../kubernetes/resource-path.ts";
import { applyObject } from "../kubernetes/server-side-apply.ts";
import { isDone } from "../kubernetes/status.ts";

/** By `namespace/name` of the pod: why a proxy has not all that it is to have; "" when it has. */
export type ReachReport = ReadonlyMap<string, string>;

interface ReportDeps {
  readonly api: Pick<ApiClient, "request">;
  /** The control planes' own. */
  readonly namespace: string;
}

const ANNOTATION = "scrim.mesh/reach";
/** An object has annotations of 256 KiB at most. */
const LONGEST_REPORT = 200_000;

/** Writes the report of the control plane in this pod; returns whether it stands there. */
export async function writeReport(
  { api, namespace }: ReportDeps,
  pod: { readonly name: string; readonly uid: string },
  report: ReachReport,
  signal: AbortSignal,
): Promise<boolean> {
  const text = encodeReport(report);
  if (text.length > LONGEST_REPORT) return false;
  // It goes with its pod.
  const ownerReferences = [{ apiVersion: "v1", kind: "Pod", name: pod.name, uid: pod.uid }];
  const metadata = { name: nameOf(pod.name), namespace, annotations: { [ANNOTATION]: text }, ownerReferences };
  const answer = await applyObject(
    api,
    pathOf(namespace, pod.name),
    { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata, spec: { holderIdentity: pod.name } },
    { signal },
  );
  return answer.kind === "answer" && isDone(answer);
}

/** What the control plane in a pod has written; undefined: nothing that can be read. */
export async function readReport(
  { api, namespace }: ReportDeps,
  pod: string,
  signal: AbortSignal,
): Promise<ReachReport | undefined> {
  const answer = await api.request({ method: "GET", path: pathOf(namespace, pod), signal });
  if (answer.kind === "failed" || !isDone(answer) || !isJsonObject(answer.body)) return undefined;
  const { metadata } = answer.body;
  const annotations = isJsonObject(metadata) && isJsonObject(metadata["annotations"]) ? metadata["annotations"] : {};
  return decodeReport(annotations[ANNOTATION]);
}

function nameOf(pod: string): string {
  return `${pod}-reach`;
}

function pathOf(namespace: string, pod: string): string {
  const at = { group: "coordination.k8s.io", version: "v1", plural: "leases", namespace };
  return resourcePath({ ...at, name: nameOf(pod) });
}

/** Pods by namespace: their names are what it is made of. */
export function encodeReport(report: ReachReport): string {
  const byNamespace: Record<string, Record<string, string>> = {};
  for (const [key, lacks] of [...report].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const [namespace = "", name = ""] = key.split("/");
    (byNamespace[namespace] ??= {})[name] = lacks.slice(0, 200);
  }
  return JSON.stringify(byNamespace);
}

function decodeReport(text: unknown): ReachReport | undefined {
  let value: unknown;
  try {
    value = JSON.parse(String(text));
  } catch {
    return undefined;
  }
  if (!isJsonObject(value)) return undefined;
  return new Map(
    Object.entries(value).flatMap(([namespace, pods]) =>
      Object.entries(isJsonObject(pods) ? pods : {}).map(([name, lacks]): [string, string] => [
        `${namespace}/${name}`,
        String(lacks),
      ]),
    ),
  );
}
