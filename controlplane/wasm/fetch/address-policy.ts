// Which addresses the control plane may be sent to by a URL that somebody wrote into the mesh.
import { BlockList, isIP } from "node:net";
import { LOOPBACK_RANGES, parseRange } from "../../model/address-range.ts";

/** Returns why an address may not be connected to, or undefined if it may. */
export type AddressPolicy = (address: string) => string | undefined;

/**
 * Where clouds keep the machine's own credentials. A range that merely contains them does not open them: only their own
 * address does.
 */
const metadataServices = [
  "169.254.169.254",
  "169.254.170.2",
  "169.254.170.23",
  "169.254.0.23",
  "100.100.100.200",
  "168.63.129.16",
  "192.0.0.192",
  "fd00:ec2::254",
  "fd00:ec2::23",
  "fd20:ce::254",
  "fd00:c1::a9fe:a9fe",
];

const notPublic: readonly (readonly [what: string, ranges: readonly string[]])[] = [
  ["a loopback address", [...LOOPBACK_RANGES, "0.0.0.0/8", "::/128"]],
  ["a link-local address", ["169.254.0.0/16", "fe80::/10"]],
  ["a private address", ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fec0::/10"]],
  [
    "a reserved address",
    [
      "192.0.0.0/24",
      "192.0.2.0/24",
      "198.18.0.0/15",
      "198.51.100.0/24",
      "203.0.113.0/24",
      "224.0.0.0/4",
      "240.0.0.0/4",
      "ff00::/8",
      "2001:db8::/32",
      // What translators and tunnels of one's own network turn into any IPv4 address.
      "64:ff9b:1::/48",
      "::ffff:0:0:0/96",
      "2001::/32",
      "192.88.99.0/24",
    ],
  ],
];

/**
 * Returns the policy that allows public addresses and the ranges named (`10.0.0.0/8`, `fd00::/8`; see `parseRange`).
 * IPv4 addresses inside IPv6 ones are judged as what they are.
 */
export function createAddressPolicy(allowed: readonly string[]): AddressPolicy {
  const opened = blockListOf(allowed);
  const named = new Set(
    allowed
      .filter((range) => /\/(32|128)$/.test(range) || !range.includes("/"))
      .map((range) => canonical(range.split("/")[0] ?? "")),
  );
  const kinds = notPublic.map(([what, ranges]) => ({ what, list: blockListOf(ranges) }));
  const metadata = new Set(metadataServices.map(canonical));
  return (address) => {
    const judged = canonical(address);
    const family = isIP(judged) === 4 ? "ipv4" : "ipv6";
    if (isIP(judged) === 0) return `${address} is no address`;
    if (metadata.has(judged) && !named.has(judged))
      return refusal(address, "the address of a cloud's metadata service");
    if (opened.check(judged, family)) return undefined;
    const kind = kinds.find(({ list }) => list.check(judged, family));
    return kind === undefined ? undefined : refusal(address, kind.what);
  };
}

function refusal(address: string, what: string): string {
  return `${address} is ${what}, from which plugins are fetched only if --allow-fetch-from names it`;
}

function blockListOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = "", bits] = (parseRange(range) ?? "").split("/");
    if (bits !== undefined) list.addSubnet(address, Number(bits), isIP(address) === 4 ? "ipv4" : "ipv6");
  }
  return list;
}

/**
 * Returns the address in its shortest form; one that leads to an IPv4 address (mapped, NAT64, 6to4, compatible) as
 * that.
 */
function canonical(address: string): string {
  const bare = address.split("%")[0] ?? "";
  if (isIP(bare) !== 6) return bare;
  const groups = expand(new URL(`http://[${bare}]`).hostname.slice(1, -1));
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = groups;
  if (a === 0x2002) return dotted(b, c);
  const isMapped = [a, b, c, d, e].every((group) => group === 0) && (f === 0xffff || (f === 0 && g !== 0));
  const isNat64 = a === 0x64 && b === 0xff9b && [d, e, f].every((group) => group === 0);
  return isMapped || isNat64 ? dotted(g, h) : groups.map((group) => group.toString(16)).join(":");
}

function expand(compressed: string): readonly number[] {
  const [left = "", right] = compressed.split("::");
  const parse = (text: string) => (text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16)));
  const [head, tail] = [parse(left), parse(right ?? "")];
  return [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => 0), ...tail];
}

function dotted(high: number, low: number): string {
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}
