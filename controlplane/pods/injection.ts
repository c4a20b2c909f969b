// What injection leaves at a pod: by it the control plane knows what stands there, and who injects again what was added.
import { isJsonObject } from "../model/json-object.ts";
import type { Labels } from "../model/labels.ts";
import { type CaptureMode, encodeAnnotations } from "./annotations.ts";

/** What was done to a pod. */
export interface Injection {
  readonly proxy: "sidecar" | "router";
  /** The workload that the pod is one of. */
  readonly workload: string;
  /** How connections come to a sidecar; undefined: nothing leads them there. */
  readonly capture?: CaptureMode | undefined;
  readonly status: InjectionStatus;
}

/** The names of what was added, and by which revision ("default" for the one without a name). */
export interface InjectionStatus {
  readonly revision: string;
  readonly initContainers: readonly string[];
  readonly containers: readonly string[];
  readonly volumes: readonly string[];
  readonly imagePullSecrets: readonly string[];
}

/** Istio's annotation for what was added, in its form: its tools, and its CNI plugin, go by it. */
export const STATUS_ANNOTATION = "sidecar.istio.io/status";

/** Returns the annotations that say what was done to a pod; `podFactsOf` reads them. */
export function encodeInjection({ proxy, workload, capture, status }: Injection): Labels {
  return {
    ...encodeAnnotations({ proxy, workload, capture }),
    [STATUS_ANNOTATION]: JSON.stringify(status, [
      ...["initContainers", "containers", "volumes", "imagePullSecrets", "revision"],
    ]),
  };
}

/** Returns what was added to a pod, by us or by Istio; undefined for one to which nothing was, or nothing readable. */
export function injectionStatus(annotations: Labels): InjectionStatus | undefined {
  const said = parseJson(annotations[STATUS_ANNOTATION] ?? "");
  if (!isJsonObject(said)) return undefined;
  const names = (list: unknown): readonly string[] =>
    Array.isArray(list) ? list.filter((name) => typeof name === "string") : [];
  return {
    initContainers: names(said["initContainers"]),
    containers: names(said["containers"]),
    volumes: names(said["volumes"]),
    imagePullSecrets: names(said["imagePullSecrets"]),
    revision: typeof said["revision"] === "string" ? said["revision"] : "",
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
