import { ScrimError } from "../model/failure.ts";
import type { SocketAddress } from "../model/socket-address.ts";
import type { CaptureMode } from "../pods/annotations.ts";
import { ENVOY_ADMIN_PORT, type ListenPort, sidecarListens } from "../pods/listen-port.ts";
import type { WorkloadPlan } from "../pods/workload-plan.ts";
import type { AddressBlock } from "./claims.ts";
import { type ClaimedPort, claimAnyPort } from "./ports.ts";

/** Where pods get their addresses and ports. */
export interface PodNetwork {
  /** Returns an address that no other pod has. Fails with a sentence when there is none left. */
  take(): PodAddress;
  giveBack(ip: string): void;
  /** Returns where a sidecar and its workload listen. Fails with a sentence when the workload asks for what is not to be had. */
  placeSidecar(ip: string, plan: WorkloadPlan): Promise<SidecarPlace>;
}

export interface PodAddress {
  readonly ip: string;
  /** Those of another family. */
  readonly moreIps?: readonly string[];
  /** Where this machine reaches its Envoy's admin page. */
  readonly admin: SocketAddress;
}

export interface SidecarPlace {
  readonly ports: readonly ListenPort[];
  /** Undefined: programs are told of their proxy. */
  readonly capture?: CaptureMode;
  /** Held until the pod is gone. */
  readonly claimed: readonly ClaimedPort[];
}

/** Takes an address of the block. Fails with a sentence when all are in use. */
export function takeAddress(block: AddressBlock): string {
  const ip = block.take();
  if (ip === undefined)
    throw new ScrimError("no-address", `the mesh's address block ${block.prefix}.0/24 has no address left`);
  return ip;
}

/** Returns the machine's own network: pods have addresses of its loopback, and their programs ports of 127.0.0.1. */
export function createLoopbackNetwork(block: AddressBlock, random: () => number): PodNetwork {
  return {
    take() {
      const ip = takeAddress(block);
      return { ip, admin: { address: ip, port: ENVOY_ADMIN_PORT } };
    },
    giveBack: block.giveBack,
    async placeSidecar(ip, plan) {
      const claimed: ClaimedPort[] = [];
      for (let i = 0; i < plan.ports.length; i++) claimed.push(await claimAnyPort(random));
      return { ports: sidecarListens(ip, plan.ports, (port, index) => claimed[index]?.port ?? port), claimed };
    },
  };
}
