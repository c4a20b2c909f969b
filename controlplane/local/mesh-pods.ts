// Consumes: every accepted state of the mesh.
// Produces: the pods it asks for: local workloads with their sidecars, and gateway proxies.
// Never does: know how a pod is started, or what its proxy is told.
import type { World } from "../world/world.ts";
import type { GatewayPorts } from "./gateway-ports.ts";
import type { LocalPod } from "./local-pod.ts";
import { planRouters } from "../pods/gateway-plan.ts";
import { createRouterSet, type RouterSet } from "./router-set.ts";
import { workloadKey, planWorkloads } from "../pods/workload-plan.ts";
import type { Rollout } from "./pod-group.ts";
import { createWorkloadSet, type WorkloadSet } from "./workload-set.ts";

export interface MeshPods {
  apply(world: World): void;
  pods(): readonly LocalPod[];
  /** True when nothing is being started, rolled or drained. */
  isSettled(): boolean;
  stop(graceMs: number): Promise<void>;
}

/** Returns the (still empty) pods of a mesh. */
export function createMeshPods(rollout: Rollout, gatewayPorts: GatewayPorts): MeshPods {
  const { say } = rollout;
  const routers: RouterSet = createRouterSet(gatewayPorts, rollout);
  const workloads = new Map<string, WorkloadSet>();
  const told = new Map<string, string>();

  function applyWorkloads(world: World): void {
    const { workloads: plans, problems } = planWorkloads(world);
    for (const { workload, message } of problems) {
      if (told.get(workload) !== message) say(`${workload} is not run as it stands: ${message}`);
      told.set(workload, message);
    }
    for (const plan of plans) {
      const key = workloadKey(plan);
      const set = workloads.get(key) ?? createWorkloadSet(key, rollout);
      workloads.set(key, set);
      set.update(plan);
      told.delete(key);
    }
    // A Deployment with a problem keeps its pods; one that is gone loses them.
    const kept = new Set([...plans.map(workloadKey), ...problems.map(({ workload }) => workload)]);
    for (const [key, set] of workloads) if (!kept.has(key)) set.update(undefined);
  }

  const sets = () => [routers, ...workloads.values()];
  return {
    apply(world) {
      applyWorkloads(world);
      routers.update(planRouters(world));
    },
    pods: () => sets().flatMap((set) => set.pods()),
    isSettled: () => sets().every((set) => set.isSettled()),
    async stop(graceMs) {
      await Promise.all(sets().map((set) => set.stop(graceMs)));
    },
  };
}
