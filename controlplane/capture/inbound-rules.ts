// Connections to the pod: handed to the proxy by changing where they go (REDIRECT, table nat), or as they are (TPROXY,
// table mangle, with a mark that a routing rule reads).
import type { Family } from "./family.ts";
import { TPROXY_MARK } from "../model/capture-ports.ts";
import type { InboundScope } from "../pods/capture-scope.ts";
import type { CaptureSettings } from "./settings.ts";
import type { Table } from "./tables.ts";

/** Packets of the proxy to its own pod: they come in over loopback, where nothing else is captured. */
const TO_SELF_MARK = 1338;

/** Returns the rules of ISTIO_INBOUND under REDIRECT. */
export function redirectInbound(settings: CaptureSettings, family: Family): readonly string[] {
  const { inbound } = settings;
  return [...exceptions(settings, family), ...forPorts(inbound, ["-j ISTIO_IN_REDIRECT"])];
}

/** Returns table mangle under TPROXY. */
export function tproxyTable(settings: CaptureSettings, family: Family): Table {
  const { inbound, owner, proxy, exceptInterfaces } = settings;
  const toSelf = `! -d ${family.loopback} -o lo -p tcp`;
  const left = exceptInterfaces.map((name) => `-i ${name} -j RETURN`);
  return {
    name: "mangle",
    hooks: {
      PREROUTING: [
        ...left,
        "-p tcp -j ISTIO_INBOUND",
        // What the proxy says to the application in the caller's name carries the mark: so do the answers.
        `-p tcp -m mark --mark ${TPROXY_MARK} -j CONNMARK --save-mark`,
      ],
      OUTPUT: [
        `-p tcp -o lo -m mark --mark ${TPROXY_MARK} -j RETURN`,
        `${toSelf} -m owner --uid-owner ${owner.uid} -j MARK --set-mark ${TO_SELF_MARK}`,
        `${toSelf} -m owner --gid-owner ${owner.gid} -j MARK --set-mark ${TO_SELF_MARK}`,
        `-p tcp -m connmark --mark ${TPROXY_MARK} -j CONNMARK --restore-mark`,
      ],
    },
    chains: {
      ISTIO_DIVERT: [`-j MARK --set-mark ${TPROXY_MARK}`, "-j ACCEPT"],
      ISTIO_TPROXY: [
        `! -d ${family.loopback} -p tcp -j TPROXY --on-port ${proxy.inbound} --tproxy-mark ${TPROXY_MARK}/0xffffffff`,
      ],
      ISTIO_INBOUND: [
        `-p tcp -m mark --mark ${TPROXY_MARK} -j RETURN`,
        `-p tcp -i lo -s ${family.fromProxy} -j RETURN`,
        `-p tcp -i lo -m mark ! --mark ${TO_SELF_MARK} -j RETURN`,
        ...exceptions(settings, family),
        ...forPorts(inbound, ["-m conntrack --ctstate RELATED,ESTABLISHED -j ISTIO_DIVERT", "-j ISTIO_TPROXY"]),
      ],
    },
  };
}

/** What is named as this pod's loopback by a neighbour's packets is for the kernel to drop, not for the proxy to believe. */
function exceptions({ inbound, proxy }: CaptureSettings, family: Family): readonly string[] {
  return [
    ...(family.version === 4 ? ["! -i lo -d 127.0.0.0/8 -j RETURN"] : []),
    ...[...inbound.exceptPorts, ...proxy.pages].map((port) => `-p tcp --dport ${port} -j RETURN`),
  ];
}

function forPorts({ ports }: InboundScope, rules: readonly string[]): readonly string[] {
  if (ports === "all") return rules.map((rule) => `-p tcp ${rule}`);
  return ports.flatMap((port) => rules.map((rule) => `-p tcp --dport ${port} ${rule}`));
}
