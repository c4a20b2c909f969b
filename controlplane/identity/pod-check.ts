// Whether a pod is still the one that a token was made for: as the watch has it, else as the API server says.
import type { ApiClient } from "../kubernetes/api-client.ts";
import { resourcePath } from "../kubernetes/resource-path.ts";
import { isJsonObject } from "../model/json-object.ts";
import type { TokenOwner } from "./token-owner.ts";

/** The uid of the pod of this name, as far as it is known here. */
export type PodUid = (namespace: string, name: string) => string | undefined;

/** `unknown`: nobody says. */
export type PodPresence = "there" | "gone" | "unknown";

/** Resolves to whether the pod that a token was made for is there; one that is ending is. */
export async function checkPod(
  api: Pick<ApiClient, "request">,
  podUid: PodUid,
  { identity, boundTo }: TokenOwner,
  timeoutMs: number,
): Promise<PodPresence> {
  if (boundTo === undefined) return "there";
  const { uid, nodeName } = boundTo;
  const { namespace, pod: name } = identity;
  // A watch may be behind: it is believed where it agrees.
  if (podUid(namespace, name) === uid) return "there";
  const path = resourcePath({ group: "", version: "v1", plural: "pods", namespace, name });
  const answer = await api.request({ method: "GET", path, timeoutMs });
  if (answer.kind === "failed") return "unknown";
  if (answer.status === 404) return "gone";
  if (answer.status !== 200 || !isJsonObject(answer.body)) return "unknown";
  const { metadata, spec } = answer.body;
  if (!isJsonObject(metadata) || metadata["uid"] !== uid) return "gone";
  const runsOn = isJsonObject(spec) ? spec["nodeName"] : undefined;
  return nodeName === undefined || runsOn === nodeName ? "there" : "gone";
}
