// Gives each new pod its name, address, ports and token, and takes back what a gone pod had.
import { randomBytes } from "node:crypto";
import type { AddressBlock } from "./claims.ts";
import { createLocalPod, type LocalPod } from "./local-pod.ts";
import type { PodContext } from "./pod-context.ts";
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

/**
 * Returns the factory for one mesh; `random` gives numbers in [0, 1) for names and ports (tokens come from the system's
 * generator).
 */
export function createPodFactory(block: AddressBlock, context: PodContext, random: () => number): PodFactory {
  const held = new Map<string, { readonly ip: string; readonly ports: readonly ClaimedPort[] }>();

  function take(): string {
    const ip = block.take();
    if (ip === undefined) throw new Error(`the mesh's address block ${block.prefix}.0/24 has no address left`);
    return ip;
  }
  const suffix = () =>
    Array.from({ length: 5 }, () => SUFFIX_LETTERS[Math.floor(random() * SUFFIX_LETTERS.length)]).join("");
  const token = () => randomBytes(32).toString("hex");

  return {
    async createSidecar(plan, ordinal) {
      const ip = take();
      const ports: ClaimedPort[] = [];
      for (let i = 0; i < plan.ports.length; i++) ports.push(await claimAnyPort(random));
      const name = podName(plan.name, ordinal, suffix());
      held.set(name, { ip, ports });
      return createLocalPod(
        {
          kind: "sidecar",
          name,
          namespace: plan.namespace,
          workload: plan.name,
          ordinal,
          labels: { ...plan.labels, "pod-template-hash": plan.templateHash },
          annotations: plan.annotations,
          serviceAccount: plan.serviceAccount,
          templateHash: plan.templateHash,
          ip,
          ports: sidecarListens(ip, plan.ports, (port, index) => ports[index]?.port ?? port),
          token: token(),
        },
        plan,
        context,
      );
    },
    createRouter(plan, ports) {
      const ip = take();
      const name = podName(plan.name, 0, suffix());
      held.set(name, { ip, ports: [] });
      return createLocalPod(
        {
          kind: "router",
          name,
          namespace: plan.namespace,
          workload: plan.name,
          ordinal: 0,
          labels: plan.labels,
          serviceAccount: plan.serviceAccount,
          templateHash: "",
          ip,
          ports,
          token: token(),
        },
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
