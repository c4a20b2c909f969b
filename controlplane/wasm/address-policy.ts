// Which addresses the control plane may be sent to by a URL that somebody wrote into the mesh.
import { BlockList, isIP } from "node:net";

export type AddressPolicy = "public" | "any";

/** Where clouds keep the machine's own credentials: never what a plugin's URL may lead to, by whatever redirect. */
const linkLocal = new BlockList();
linkLocal.addSubnet("169.254.0.0", 16, "ipv4");
for (const [address, length] of [["fe80::", 10], ["fd00:ec2::254", 128]] as const) linkLocal.addSubnet(address, length, "ipv6");

const local = new BlockList();
for (const [address, length] of [["127.0.0.0", 8], ["169.254.0.0", 16], ["0.0.0.0", 8], ["224.0.0.0", 4], ["240.0.0.0", 4]] as const) local.addSubnet(address, length, "ipv4");
for (const [address, length] of [["::1", 128], ["::", 128], ["fe80::", 10], ["ff00::", 8], ["64:ff9b::", 96], ["fd00:ec2::254", 128]] as const) local.addSubnet(address, length, "ipv6");

/**
 * Returns why an address may not be connected to, or undefined if it may. Under `public`, this machine's own addresses, link-local ones (a cloud's
 * metadata service), multicast and reserved ones are refused, in their IPv6 forms too. Private networks are allowed: plugins live there. Under `any` link-local ones alone are refused.
 */
export function refusedAddress(address: string, policy: AddressPolicy): string | undefined {
  const version = isIP(address);
  if (version === 0) return `${address} is no address`;
  const mapped = version === 6 ? mappedIpv4(address) : undefined;
  const forbidden = policy === "any" ? linkLocal : local;
  const refused = mapped === undefined ? forbidden.check(address, version === 4 ? "ipv4" : "ipv6") : forbidden.check(mapped, "ipv4");
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
