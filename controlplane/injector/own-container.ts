// A container of the pod that has the name of one that is added: what the pod says of it holds before what we say.
import { isJsonObject } from "../model/json-object.ts";
import type { Named } from "./pod.ts";

/** Lists in which each entry is known by a field; Kubernetes' merge keys. All others are one value. */
const keyOfList: Readonly<Record<string, string>> = {
  env: "name",
  ports: "containerPort",
  volumeMounts: "mountPath",
  volumeDevices: "devicePath",
  resizePolicy: "resourceName",
};
const PROBES = ["readinessProbe", "livenessProbe", "startupProbe"];
const HOOKS = ["preStop", "postStart"];
const HANDLERS = ["exec", "httpGet", "tcpSocket", "grpc"];
/** What stands for `the one that is added`: Kubernetes wants every container to name an image. */
const ADDED_IMAGE = "auto";

type Fields = Readonly<Record<string, unknown>>;

/** Returns the container that is added with what the pod's own of its name says instead. */
export function mergeContainer(added: Named, own: Named): Named {
  const { image, ...said } = own;
  return mergeFields(added, image === ADDED_IMAGE || image === undefined ? said : own) as Named;
}

function mergeFields(added: Fields, own: Fields): Fields {
  const merged: Record<string, unknown> = { ...added };
  for (const [field, value] of Object.entries(own)) merged[field] = mergeField(field, added[field], value);
  return merged;
}

function mergeField(field: string, added: unknown, own: unknown): unknown {
  const key = keyOfList[field];
  if (key !== undefined && Array.isArray(added) && Array.isArray(own)) return mergeList(key, added, own);
  if (!isJsonObject(added) || !isJsonObject(own) || HOOKS.includes(field)) return own;
  if (!PROBES.includes(field) || !HANDLERS.some((handler) => own[handler] !== undefined))
    return mergeFields(added, own);
  // A probe asks one thing: who says what, says it instead of ours.
  const { exec, httpGet, tcpSocket, grpc, ...times } = added;
  return mergeFields(times, own);
}

/** Entries keep their order, ours first; one of the pod's takes the place of ours. */
function mergeList(key: string, added: readonly unknown[], own: readonly unknown[]): readonly unknown[] {
  const keyed = (list: readonly unknown[]) =>
    list.map((entry): readonly [unknown, unknown] => [isJsonObject(entry) ? entry[key] : entry, entry]);
  return [...new Map([...keyed(added), ...keyed(own)]).values()];
}
