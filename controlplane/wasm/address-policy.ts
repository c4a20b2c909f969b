// Which addresses the control plane may be sent to by a URL that somebody wrote into the mesh.
import { BlockList, isIP } from "node:net";

export type AddressPolicy = "public" | "any";

const local = new BlockList();
for (const [address, length] of [["127.0.0.0", 8], ["169.254.0.0", 16], ["0.0.0.0", 8], ["224.0.0.0", 4], ["240.0.0.0", 4]] as const) local.addSubnet(address, length, "ipv4");
for (const [address, length] of [["::1", 128], ["::", 128], ["fe80::", 10], ["ff00::", 8], ["64:ff9b::", 96], ["fd00:ec2::254", 128]] as const) local.addSubnet(address, length, "ipv6");

/**
 * Returns why an address may not be connected to, or undefined if it may. Under `public`, this machine's own addresses, link-local ones (a cloud's
 * metadata service), multicast and reserved ones are refused, in their IPv6 forms too. Private networks are allowed: plugins live there.
 */
export function refusedAddress(address: string, policy: AddressPolicy): string | undefined {
  const version = isIP(address);
  if (version === 0) return `${address} is no address`;
  if (policy === "any") return undefined;
  const mapped = version === 6 ? mappedIpv4(address) : undefined;
  const refused = mapped === undefined ? local.check(address, version === 4 ? "ipv4" : "ipv6") : local.check(mapped, "ipv4");
  return refused ? `${address} is a loopback, link-local or reserved address, which plugins may not be fetched from` : undefined;
}

/** `::ffff:127.0.0.1`, also written `::ffff:7f00:1`, is an IPv4 address. */
function mappedIpv4(address: string): string | undefined {
  const canonical = new URL(`http://[${address.split("%")[0]}]`).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical) ?? [];
  if (high === undefined || low === undefined) return undefined;
  const bits = (Number.parseInt(high, 16) << 16 | Number.parseInt(low, 16)) >>> 0;
  return [24, 16, 8, 0].map((shift) => bits >>> shift & 255).join(".");
}
