// Connections of the pod: what its programs send, except what stays within the pod; never what the proxy sends itself,
// except to its own pod, where it must come in as anybody's would.
import type { Family } from "./family.ts";
import type { OutboundScope } from "../pods/capture-scope.ts";
import type { CaptureSettings } from "./settings.ts";
import type { Table } from "./tables.ts";

/** Returns the rules of ISTIO_OUTPUT: the first that holds decides. */
export function outboundRules(settings: CaptureSettings, family: Family): readonly string[] {
  const { mode, owner, outbound, exceptInterfaces, proxy } = settings;
  const toSelf = `-o lo ! -d ${family.loopback} -p tcp`;
  const byProxy = ownersOf(owner);
  return [
    ...exceptInterfaces.map((name) => `-o ${name} -j RETURN`),
    ...outbound.exceptPorts.map((port) => `-p tcp --dport ${port} -j RETURN`),
    `-o lo -s ${family.fromProxy} -j RETURN`,
    // A pod that calls its own service: from the proxy on its way out to the proxy on its way in.
    ...(mode === "REDIRECT" ? byProxy.map((match) => `${toSelf} ${match} -j ISTIO_IN_REDIRECT`) : []),
    ...byProxy.map((match) => `${match} -j RETURN`),
    ...dnsQuestions(settings, family).map((match) => `${match} -j REDIRECT --to-ports ${proxy.dns}`),
    "-o lo -j RETURN",
    ...scopeRules(outbound, family),
  ];
}

function scopeRules({ ranges, exceptRanges, ports }: OutboundScope, family: Family): readonly string[] {
  const captured = (match: string) => `${match} -j ISTIO_REDIRECT`;
  return [
    ...exceptRanges.filter(family.has).map((range) => `-d ${range} -j RETURN`),
    ...ports.map((port) => captured(`-p tcp --dport ${port}`)),
    ...(ranges === "all"
      ? [captured("-p tcp")]
      : ranges.filter(family.has).map((range) => captured(`-p tcp -d ${range}`))),
  ];
}

/**
 * Returns table raw, where DNS is captured: the programs' questions and the proxy's own are kept in zones apart. The
 * proxy may ask a server from the port that a program asked it from a moment ago: in one zone that question would be
 * turned back to the proxy.
 */
export function dnsZones(settings: CaptureSettings, family: Family): readonly Table[] {
  const { owner, proxy } = settings;
  const questions = dnsQuestions(settings, family);
  if (questions.length === 0) return [];
  const byProxy = ownersOf(owner);
  const answers = serversOf(settings, family).map((server) => `-p udp --sport 53${server && ` -s ${server}`}`);
  return [
    {
      name: "raw",
      hooks: { PREROUTING: ["-p udp -j ISTIO_INBOUND_DNS"], OUTPUT: ["-p udp -j ISTIO_OUTPUT_DNS"] },
      chains: {
        ISTIO_INBOUND_DNS: answers.map((match) => `${match} -j CT --zone 1`),
        ISTIO_OUTPUT_DNS: [
          ...byProxy.map((match) => `-p udp --dport 53 ${match} -j CT --zone 1`),
          ...byProxy.map((match) => `-p udp --sport ${proxy.dns} ${match} -j CT --zone 2`),
          ...questions.map((match) => `${match} -j CT --zone 2`),
        ],
      },
    },
  ];
}

function dnsQuestions(settings: CaptureSettings, family: Family): readonly string[] {
  return serversOf(settings, family).map((server) => `-p udp --dport 53${server && ` -d ${server}`}`);
}

/** The servers whose questions are captured; "" is any. */
function serversOf({ dns }: CaptureSettings, family: Family): readonly string[] {
  if (dns === "none") return [];
  return dns === "all" ? [""] : dns.filter(family.has);
}

function ownersOf({ uid, gid }: CaptureSettings["owner"]): readonly string[] {
  return [`-m owner --uid-owner ${uid}`, `-m owner --gid-owner ${gid}`];
}
