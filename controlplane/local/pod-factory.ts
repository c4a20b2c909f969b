// Gives each new pod its name, address, ports and token, and takes back what a gone pod had.
import { randomBytes } from "node:crypto";
import type { AddressBlock } from "./claims.ts";
import { createLocalPod, type LocalPod } from "./local-pod.ts";
import type { PodContext } from "./pod-context.ts";
import { ScrimError } from "../model/failure.ts";
import { type ListenPort, sidecarListens } from "../pods/listen-port.ts";
import { podName } from "./pod-record.ts";
import { type ClaimedPort, claimAnyPort } from "./ports.ts";
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
 * Returns the factory for one mesh; `random` gives numbers in [0, 1) for names and ports (tokens come from the system's
 * generator).
 */
export function createPodFactory(block: AddressBlock, context: PodContext, random: () => number): PodFactory {
  const held = new Map<string, { readonly ip: string; readonly ports: readonly ClaimedPort[] }>();

  function take(): string {
    const ip = block.take();
    if (ip === undefined)
      throw new ScrimError("no-address", `the mesh's address block ${block.prefix}.0/24 has no address left`);
    return ip;
  }
  const suffix = () =>
    Array.from({ length: 5 }, () => SUFFIX_LETTERS[Math.floor(random() * SUFFIX_LETTERS.length)]).join("");

  /** What is fixed of a pod whoever it is for; its address and its ports are held until it is forgotten. */
  function newPod(
    { name: workload, namespace, serviceAccount, hasStableNames }: Planned,
    ordinal: number,
    claimed: readonly ClaimedPort[],
  ) {
    const ip = take();
    const name = podName(workload, ordinal, hasStableNames ? undefined : suffix());
    held.set(name, { ip, ports: claimed });
    return { name, namespace, workload, ordinal, serviceAccount, ip, token: randomBytes(32).toString("hex") };
  }

  return {
    async createSidecar(plan, ordinal) {
      const claimed: ClaimedPort[] = [];
      const pod = newPod(plan, ordinal, claimed);
      for (let i = 0; i < plan.ports.length; i++) claimed.push(await claimAnyPort(random));
      const { annotations, templateHash } = plan;
      const labels = { ...plan.labels, "pod-template-hash": templateHash };
      const ports = sidecarListens(pod.ip, plan.ports, (port, index) => claimed[index]?.port ?? port);
      return createLocalPod({ ...pod, kind: "sidecar", labels, annotations, templateHash, ports }, plan, context);
    },
    createRouter(plan, ports) {
      const { labels } = plan;
      return createLocalPod(
        { ...newPod(plan, 0, []), kind: "router", labels, templateHash: "", ports },
        undefined,
        context,
      );
    },
    forget({ name }) {
      const { ip, ports } = held.get(name) ?? { ip: undefined, ports: [] };
      for (const { claim } of ports) claim.release();
      if (ip !== undefined) block.giveBack(ip);
      held.delete(name);
    },
  };
}
