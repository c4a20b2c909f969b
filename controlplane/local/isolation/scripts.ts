// What is run in namespaces to make them a mesh's network: scripts for `sh -e`, each run once.
import type { CaptureRules } from "../../capture/rules.ts";

/** Where the files of a mesh's pods are, in its own view of mounts. */
export const MESH_FOLDER = "/run/scrim";

/** The bridge: the other end of every pod's interface, and where what no pod has is sent. */
const BRIDGE = "scrim0";

/** What the mesh's own namespace is like. */
export interface MeshScript {
  /** The bridge's address. */
  readonly gateway: string;
  readonly prefixLength: number;
  /** What is to be run in pods. */
  readonly envoyBinary: string;
  /** Where what leaves the mesh is led. */
  readonly wayOutPort: number;
}

/** Returns the script for the mesh's own namespace. */
export function meshScript({ gateway, prefixLength, envoyBinary, wayOutPort }: MeshScript): string {
  return [
    `mount -t tmpfs -o mode=0755 scrim ${MESH_FOLDER}`,
    `touch ${MESH_FOLDER}/envoy`,
    `mount --bind ${quoted(envoyBinary)} ${MESH_FOLDER}/envoy`,
    "ip link set lo up",
    `ip link add ${BRIDGE} type bridge`,
    `ip address add ${gateway}/${prefixLength} dev ${BRIDGE}`,
    `ip link set ${BRIDGE} up`,
    // What goes neither to a pod nor to the bridge itself leaves the mesh; what of it is not TCP is told so at once.
    `iptables -t nat -A PREROUTING -i ${BRIDGE} -p tcp ! -d ${gateway}/${prefixLength} -j REDIRECT --to-ports ${wayOutPort}`,
    "echo 1 > /proc/sys/net/ipv4/ip_forward",
    "",
  ].join("\n");
}

/** Returns the script for the mesh's own namespace that joins a pod's to it. */
export function joinScript(podPid: number): string {
  const name = `pod${podPid}`;
  return [
    `ip link add ${name} type veth peer name eth0 netns ${podPid}`,
    `ip link set ${name} master ${BRIDGE} up`,
    "",
  ].join("\n");
}

/** What a pod's namespace is like. */
export interface PodScript {
  readonly ip: string;
  readonly prefixLength: number;
  readonly gateway: string;
  /** Where its files are: `hosts` and `resolv.conf` take the place of the machine's. */
  readonly folder: string;
  /** Undefined: nothing is captured. */
  readonly rules: CaptureRules | undefined;
  /** Its IPv6 addresses, on a network of 64 bits. */
  readonly ipv6: readonly string[];
}

/** Returns the script for a pod's namespace. As in containers, a port below 1024 needs no privilege. */
export function podScript({ ip, prefixLength, gateway, folder, rules, ipv6 }: PodScript): string {
  return [
    "ip link set lo up",
    `ip address add ${ip}/${prefixLength} dev eth0`,
    ...ipv6.map((address) => `ip address add ${address}/64 dev eth0 nodad`),
    "ip link set eth0 up",
    `ip route add default via ${gateway}`,
    "echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start",
    ...["hosts", "resolv.conf"].map((name) => `mount --bind ${folder}/${name} /etc/${name}`),
    ...(rules ? captureScript(rules) : []),
    "",
  ].join("\n");
}

function captureScript({ ipv4, ipv6 }: CaptureRules): readonly string[] {
  const hasIpv6 = "[ -e /proc/net/if_inet6 ]";
  return [
    restore("iptables-restore", ipv4.apply),
    `if ${hasIpv6}; then`,
    restore("ip6tables-restore", ipv6.apply),
    "fi",
    ...ipv4.routes.map(({ add }) => `ip ${add.join(" ")}`),
    ...ipv6.routes.map(({ add }) => `if ${hasIpv6}; then ip ${add.join(" ")}; fi`),
  ];
}

function restore(program: string, text: string): string {
  return `${program} --noflush <<'RULES'\n${text}RULES`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
