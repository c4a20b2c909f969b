// Consumes: the pod that an API server is about to take, and the mesh.
// Produces: what is to be changed of it, or why it cannot be as it asks for.
// Never does: decide whom it is asked about: the webhook configurations' selectors did.
import { isDeepStrictEqual } from "node:util";
import { injectPod } from "../injector/inject.ts";
import { readPod, writePod } from "../injector/pod.ts";
import type { InjectionValues } from "../injector/values.ts";
import { isJsonObject } from "../model/json-object.ts";
import type { World } from "../world/world.ts";
import { type Admission, admitNothing, type AdmissionRequest, type PatchOperation } from "./admission.ts";

/** What injection goes by at this moment. */
export interface InjectingMesh {
  readonly world: World;
  readonly values: InjectionValues;
}

/** Returns what is said of a pod that is created. */
export function admitPod(request: AdmissionRequest, mesh: InjectingMesh): Admission {
  const { namespace, object } = request;
  if (object === undefined) return admitNothing(request);
  const pod = readPod(object);
  if ("kind" in pod) return { allowed: false, message: `the pod cannot be injected: ${pod.message}` };
  const injected = injectPod(pod, { namespace, ...mesh });
  if (injected.kind === "failed") return { allowed: false, message: `the pod cannot be injected: ${injected.message}` };
  if (injected.kind === "left") return { allowed: true };
  return { allowed: true, warnings: injected.warnings, patch: patchFor(object, writePod(injected.pod)) };
}

type Fields = Readonly<Record<string, unknown>>;

/** Returns the patch after which `metadata` and `spec` are these: by whole fields of theirs, which are few and short. */
export function patchFor(object: Fields, { metadata, spec }: Fields): readonly PatchOperation[] {
  return [...fieldPatch("/metadata", object["metadata"], metadata), ...fieldPatch("/spec", object["spec"], spec)];
}

function fieldPatch(path: string, given: unknown, wanted: unknown): readonly PatchOperation[] {
  if (!isJsonObject(given)) return [{ op: "add", path, value: wanted }];
  const fields = isJsonObject(wanted) ? wanted : {};
  const at = (name: string): string => `${path}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
  return [
    ...Object.entries(fields).flatMap(([name, value]): readonly PatchOperation[] =>
      isDeepStrictEqual(given[name], value)
        ? []
        : [{ op: given[name] === undefined ? "add" : "replace", path: at(name), value }],
    ),
    ...Object.keys(given).flatMap((name): readonly PatchOperation[] =>
      fields[name] === undefined ? [{ op: "remove", path: at(name) }] : [],
    ),
  ];
}
