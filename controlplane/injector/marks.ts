// What injection writes down at a pod, to be read by the control plane, and by itself when it is asked again.
import { isJsonObject } from "../model/json-object.ts";
import type { Labels } from "../model/labels.ts";
import { type CaptureMode, decodeAnnotations } from "../pods/annotations.ts";
import { encodeInjection, injectionStatus, STATUS_ANNOTATION } from "../pods/injection.ts";
import { fileAnnotations } from "./files.ts";
import { INIT_CONTAINER } from "./init-container.ts";
import { named, type Named, type PodTemplate, without } from "./pod.ts";
import { type Originals, restoreProbes } from "./probes.ts";
import { PROXY_CONTAINER } from "./proxy-container.ts";

/** What of the pod itself is not there any more as it was. */
export interface Marks {
  /** The pod's own container of the proxy's name, which ours was merged with. */
  readonly own: Named | undefined;
  readonly isNative: boolean;
  readonly originals: Originals;
}

/** What was done. */
export interface Done {
  readonly proxy: "sidecar" | "router";
  readonly workload: string;
  readonly capture: CaptureMode | undefined;
  readonly revision: string;
  readonly hasInit: boolean;
  readonly volumes: readonly string[];
  readonly imagePullSecrets: readonly string[];
  readonly marks: Marks;
}

const OVERRIDES = "proxy.istio.io/overrides";
const PROBES = "scrim.mesh/probes";
const REVISION = "istio.io/rev";

/** Returns the annotations that say it. */
export function marksOf(done: Done): Labels {
  const { marks, capture, proxy } = done;
  const added = [...(done.hasInit ? [INIT_CONTAINER] : []), ...(marks.isNative ? [PROXY_CONTAINER] : [])];
  return {
    [REVISION]: done.revision || "default",
    ...fileAnnotations(),
    ...(marks.own && { [OVERRIDES]: JSON.stringify({ containers: [marks.own] }) }),
    ...(Object.keys(marks.originals).length > 0 && { [PROBES]: JSON.stringify(marks.originals) }),
    ...encodeInjection({
      ...{ proxy, workload: done.workload, capture },
      status: {
        revision: done.revision || "default",
        initContainers: added,
        containers: marks.isNative ? [] : [PROXY_CONTAINER],
        volumes: done.volumes,
        imagePullSecrets: done.imagePullSecrets,
      },
    }),
  };
}

/** Whether somebody else injected the pod. */
export function isOfAnother(annotations: Labels): boolean {
  return annotations[STATUS_ANNOTATION] !== undefined && decodeAnnotations(annotations).proxy === undefined;
}

/** Returns a pod that was injected as it was before; any other as it is. */
export function asBefore(pod: PodTemplate): PodTemplate {
  const { metadata, spec } = pod;
  const { annotations } = metadata;
  const status = injectionStatus(annotations);
  if (status === undefined || decodeAnnotations(annotations).proxy === undefined) return pod;
  const originals = parsed(annotations[PROBES]) as Originals;
  const own = ownOf(annotations);
  return {
    metadata: { ...metadata, annotations: withoutMarks(annotations) },
    spec: {
      ...spec,
      containers: restoreProbes([...own, ...without(spec.containers, [PROXY_CONTAINER])], originals),
      initContainers: restoreProbes(without(spec.initContainers, [PROXY_CONTAINER, INIT_CONTAINER]), originals),
      volumes: without(spec.volumes, status.volumes),
      imagePullSecrets: without(spec.imagePullSecrets, status.imagePullSecrets),
    },
  };
}

function ownOf(annotations: Labels): readonly Named[] {
  const { containers } = parsed(annotations[OVERRIDES]);
  const own = Array.isArray(containers)
    ? named(containers.filter(isJsonObject) as Named[], PROXY_CONTAINER)
    : undefined;
  return own ? [own] : [];
}

/** Those that are written anew each time. What Kubernetes' own tools read may have become the user's meanwhile. */
function withoutMarks(annotations: Labels): Labels {
  const ours = [STATUS_ANNOTATION, OVERRIDES, PROBES, REVISION, ...Object.keys(fileAnnotations())];
  const isOurs = (name: string) => ours.includes(name) || /^scrim\.mesh\/(?:workload|proxy|capture)$/.test(name);
  return Object.fromEntries(Object.entries(annotations).filter(([name]) => !isOurs(name)));
}

function parsed(text: string | undefined): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text ?? "{}");
    return isJsonObject(value) ? value : {};
  } catch {
    return {};
  }
}
