// What an installation does with objects of a cluster. What the server does not do is thrown, as what ends a command.
import { ScrimError } from "../../model/failure.ts";
import { isJsonObject } from "../../model/json-object.ts";
import type { ApiAnswer, ApiCall, ApiClient, Answered } from "../../kubernetes/api-client.ts";
import { applyObject } from "../../kubernetes/server-side-apply.ts";
import { describeAnswer, isDone } from "../../kubernetes/status.ts";
import type { KubernetesObject } from "../description/render.ts";
import { nameOf, pathOf } from "./resource-kinds.ts";

/** Whose the fields of an installation's objects are. */
const FIELD_MANAGER = "scrim-install";

/** An object as a server has it. */
export type LiveObject = KubernetesObject & {
  readonly metadata: { readonly ownerReferences?: readonly unknown[] };
  readonly [field: string]: unknown;
};

export interface Cluster {
  /** Resolves to the object at a path; undefined where there is none. */
  get(path: string): Promise<LiveObject | undefined>;
  /** Resolves to all objects of a list that have these labels; none where the server does not know the kind. */
  list(path: string, labelSelector?: string, query?: Readonly<Record<string, string>>): Promise<readonly LiveObject[]>;
  /** Resolves to the object as it is then, or would be. */
  apply(object: KubernetesObject, options?: { readonly dryRun?: boolean }): Promise<LiveObject>;
  /** Resolves to whether it was there. */
  remove(path: string): Promise<boolean>;
  /** Resolves to the answer of any other call. */
  ask(call: ApiCall): Promise<unknown>;
}

/** Returns the cluster behind a client. */
export function createCluster(client: Pick<ApiClient, "request">): Cluster {
  const get = async (path: string) => {
    const answer = answered(await client.request({ method: "GET", path }));
    if (answer.status === 404) return undefined;
    return doneOf(answer, `read ${path}`) as LiveObject;
  };
  return {
    get,
    async list(path, labelSelector, query) {
      const answer = answered(
        await client.request({ method: "GET", path, query: { ...(labelSelector && { labelSelector }), ...query } }),
      );
      if (answer.status === 404) return [];
      const list = doneOf(answer, `list ${path}`);
      return isJsonObject(list) && Array.isArray(list["items"]) ? (list["items"] as LiveObject[]) : [];
    },
    async apply(object, { dryRun = false } = {}) {
      const answer = await applyObject(client, pathOf(object), object, { fieldManager: FIELD_MANAGER, dryRun });
      return doneOf(answered(answer), `apply ${nameOf(object)}`) as LiveObject;
    },
    async remove(path) {
      const body = { kind: "DeleteOptions", apiVersion: "v1", propagationPolicy: "Background" };
      const answer = answered(await client.request({ method: "DELETE", path, body }));
      if (answer.status === 404) return false;
      doneOf(answer, `delete ${path}`);
      return true;
    },
    async ask(call) {
      return doneOf(answered(await client.request(call)), `${call.method} ${call.path}`);
    },
  };
}

function answered(answer: ApiAnswer): Answered {
  if (answer.kind === "failed") throw new ScrimError("unreachable", `The cluster does not answer: ${answer.message}.`);
  return answer;
}

function doneOf(answer: Answered, what: string): unknown {
  if (!isDone(answer)) throw new ScrimError("failed", refusalOf(answer, what));
  return answer.body;
}

/** Returns what the server said in a sentence, with what people may do about it. */
function refusalOf(answer: Answered, what: string): string {
  const said = describeAnswer(answer);
  if (answer.status === 401)
    return (
      `The cluster does not know who you are (${said}): the credentials that the kubeconfig's user has are wrong, or ` +
      "no longer valid. Log in anew, or choose another user by --context or --kubeconfig."
    );
  if (answer.status === 403)
    return `You may not ${what} (${said}): \`scrim x precheck\` lists every right that is missing.`;
  return `The cluster does not ${what}: ${said}`;
}

/** Returns what stands at the end of these names, undefined where something on the way is not there. */
export function at(value: unknown, ...names: readonly string[]): unknown {
  return names.reduce((inner, name) => (isJsonObject(inner) ? inner[name] : undefined), value);
}

/** Returns a list that stands there, or an empty one. */
export function listAt(value: unknown, ...names: readonly string[]): readonly unknown[] {
  const list = at(value, ...names);
  return Array.isArray(list) ? list : [];
}
