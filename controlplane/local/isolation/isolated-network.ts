import { captureSettings } from "../../capture/settings.ts";
import { ScrimError } from "../../model/failure.ts";
import { parseCaptureScope } from "../../pods/capture-scope.ts";
import { capturedListens, ENVOY_ADMIN_PORT } from "../../pods/listen-port.ts";
import { type AddressBlock, createAddressBlock } from "../claims.ts";
import { type PodNetwork, takeAddress } from "../pod-network.ts";
import { POD_PREFIX, POD_PREFIX_IPV6 } from "./mesh-network.ts";

/**
 * Returns the addresses of pods in a network of their mesh's own, of both families where the machine has both. Their programs listen where they declare. `doors`
 * are addresses of this machine's loopback, one for each pod's admin page.
 */
export function createIsolatedNetwork(doors: AddressBlock, hasIpv6: boolean): PodNetwork {
  const pods = createAddressBlock(POD_PREFIX);
  return {
    take() {
      const ip = takeAddress(pods);
      return {
        ip,
        ...(hasIpv6 && { moreIps: [`${POD_PREFIX_IPV6}${hostOf(ip)}`] }),
        admin: { address: `${doors.prefix}.${hostOf(ip)}`, port: ENVOY_ADMIN_PORT },
      };
    },
    giveBack: pods.giveBack,
    async placeSidecar(ip, { annotations, ports }) {
      const { mode = "REDIRECT", problems } = parseCaptureScope(annotations ?? {});
      if (mode === "NONE")
        throw new ScrimError(
          "not-captured",
          "interceptionMode NONE would let every connection pass by the sidecar: remove it, or run without --isolate",
        );
      if (problems[0] !== undefined) throw new ScrimError("not-captured", problems.join("; "));
      return { ports: capturedListens(ip, ports), capture: mode, claimed: [] };
    },
  };
}

function hostOf(ip: string): string {
  return ip.slice(ip.lastIndexOf(".") + 1);
}

/** Returns what of a pod's connections is captured. */
export function captureOf(mode: "REDIRECT" | "TPROXY", annotations: Readonly<Record<string, string>> | undefined) {
  const { inbound, outbound, exceptInterfaces, outboundInterfaces } = parseCaptureScope(annotations ?? {});
  return captureSettings({ mode, inbound, outbound, exceptInterfaces, outboundInterfaces });
}
