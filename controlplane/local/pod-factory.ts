// Gives each new pod its name, address, ports and token, and takes back what a gone pod had.
import { randomBytes } from "node:crypto";
import { createLocalPod, type LocalPod } from "./local-pod.ts";
import type { PodContext } from "./pod-context.ts";
import type { PodNetwork } from "./pod-network.ts";
import type { ListenPort } from "../pods/listen-port.ts";
import { podName } from "./pod-record.ts";
import type { ClaimedPort } from "./ports.ts";
import type { RouterPlan } from "../pods/gateway-plan.ts";
import type { WorkloadPlan } from "../pods/workload-plan.ts";

export interface PodFactory {
  /** The pods are not started yet. Both fail with a sentence when there is no address left. */
  createSidecar(plan: WorkloadPlan, ordinal: number): Promise<LocalPod>;
  createRouter(plan: RouterPlan, ports: readonly ListenPort[]): LocalPod;
  /** Call it when the pod is stopped. */
  forget(pod: LocalPod): void;
}

const SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789";

type Planned = Pick<WorkloadPlan, "name" | "namespace" | "serviceAccount" | "hasStableNames">;

/**
 * Returns the factory for one mesh; `random` gives numbers in [0, 1) for names (tokens come from the system's
 * generator).
 */
export function createPodFactory(network: PodNetwork, context: PodContext, random: () => number): PodFactory {
  const held = new Map<string, { readonly ip: string; ports: readonly ClaimedPort[] }>();
  const suffix = () =>
    Array.from({ length: 5 }, () => SUFFIX_LETTERS[Math.floor(random() * SUFFIX_LETTERS.length)]).join("");

  /** What is fixed of a pod whoever it is for; its address and its ports are held until it is forgotten. */
  function newPod({ name: workload, namespace, serviceAccount, hasStableNames }: Planned, ordinal: number) {
    const address = network.take();
    const name = podName(workload, ordinal, hasStableNames ? undefined : suffix());
    held.set(name, { ip: address.ip, ports: [] });
    return { name, namespace, workload, ordinal, serviceAccount, ...address, token: randomBytes(32).toString("hex") };
  }

  function forget({ name }: { readonly name: string }): void {
    const { ip, ports } = held.get(name) ?? { ip: undefined, ports: [] };
    for (const { claim } of ports) claim.release();
    if (ip !== undefined) network.giveBack(ip);
    held.delete(name);
  }

  return {
    async createSidecar(plan, ordinal) {
      const pod = newPod(plan, ordinal);
      const { annotations, templateHash, proxySettings } = plan;
      const labels = { ...plan.labels, "pod-template-hash": templateHash };
      const { claimed, ...place } = await network.placeSidecar(pod.ip, plan).catch((error: unknown) => {
        forget(pod);
        throw error;
      });
      held.set(pod.name, { ip: pod.ip, ports: claimed });
      return createLocalPod(
        { ...pod, ...place, kind: "sidecar", labels, annotations, templateHash, proxySettings },
        plan,
        context,
      );
    },
    createRouter(plan, ports) {
      const { labels, proxySettings } = plan;
      return createLocalPod(
        { ...newPod(plan, 0), kind: "router", labels, templateHash: "", proxySettings, ports },
        undefined,
        context,
      );
    },
    forget,
  };
}
