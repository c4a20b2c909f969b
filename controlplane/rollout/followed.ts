// The plugins of the mesh as rollouts see them: each with its plan, and the newest module that was offered under it.
import { isFailed } from "../model/failure.ts";
import type { MeshObject } from "../model/object.ts";
import type { PluginVersion } from "../model/plugin.ts";
import { parseRolloutPlan, ROLLOUT_ANNOTATION, type RolloutPlan } from "./plan.ts";

export interface Followed {
  readonly object: MeshObject<"WasmPlugin">;
  readonly plan: RolloutPlan | undefined;
  /** What is wrong with the plan. */
  readonly problem: string | undefined;
  /**
   * The proxies that were there when the plugin came: they go on as before until its module is had. To others it is
   * missing.
   */
  readonly there: ReadonlySet<string>;
  offered?: PluginVersion;
}

/** Returns a plugin with its plan, to which nothing was offered yet. */
export function withPlan(object: MeshObject<"WasmPlugin">, there: ReadonlySet<string>): Followed {
  return { object, ...planOf(object), there };
}

/** `<namespace>/<name>` */
export function nameOf({ metadata: { namespace, name } }: MeshObject<"WasmPlugin">): string {
  return `${namespace}/${name}`;
}

function planOf(object: MeshObject<"WasmPlugin">): Pick<Followed, "plan" | "problem"> {
  const { annotations } = object.metadata;
  const text = Object.hasOwn(annotations, ROLLOUT_ANNOTATION) ? annotations[ROLLOUT_ANNOTATION] : undefined;
  if (text === undefined) return { plan: undefined, problem: undefined };
  const parsed = parseRolloutPlan(text);
  // Without a plan that can be read the new version would go to all at once: it goes to nobody until somebody decides.
  if (isFailed(parsed)) return { plan: HOLD, problem: parsed.message };
  return parsed.of === "requests" && object.spec.type === "NETWORK"
    ? { plan: HOLD, problem: "of: requests: a plugin of type NETWORK sees none: write of: proxies" }
    : { plan: parsed, problem: undefined };
}

/** To no proxy: the buckets begin at 0. */
const HOLD: RolloutPlan = {
  of: "proxies",
  steps: [{ percent: 0, pauseMs: undefined }],
  rollback: { errorRate: 0, latency: 0, metric: undefined, minimumRequests: Number.MAX_SAFE_INTEGER },
};
