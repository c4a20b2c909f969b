// On which addresses a captured pod's listeners are.
import type { Listener } from "../../../protos/build/envoy.ts";
import type { MeshProxy } from "../ir/proxy-class.ts";

const V4: readonly string[] = ["0.0.0.0"];
const V6: readonly string[] = ["::"];
const V4_AND_V6: readonly string[] = [...V4, ...V6];
const V6_AND_V4: readonly string[] = [...V6, ...V4];

/** Returns all addresses of the family of the pod's own, and of the other one if it has one of that, too. */
export function wildcardsOf({ address, moreAddresses = [] }: MeshProxy): readonly string[] {
  const isV6 = address.includes(":");
  const isDual = moreAddresses.some((other) => other.includes(":") !== isV6);
  if (isV6) return isDual ? V6_AND_V4 : V6;
  return isDual ? V4_AND_V6 : V4;
}

/** Returns a listener's addresses, of which there is at least one, as Envoy writes them. */
export function listeningAt(
  addresses: readonly string[],
  port: number,
): Pick<Listener, "address" | "additionalAddresses"> {
  const [address, ...others] = addresses.map((one) => ({ socketAddress: { address: one, portValue: port } }));
  return { address, ...(others.length > 0 && { additionalAddresses: others.map((other) => ({ address: other })) }) };
}
