// The container that leads a pod's connections to its proxy, and ends.
import { captureRules, type Route } from "../capture/rules.ts";
import { captureSettings, PROXY_OWNER } from "../capture/settings.ts";
import type { AskedProxy } from "./asked-proxy.ts";
import type { Named } from "./pod.ts";
import type { InjectionValues } from "./values.ts";

export const INIT_CONTAINER = "istio-init";

/** Whom the proxy runs as, where the pod says it itself. */
export interface RunsAs {
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
}

/**
 * Returns the container; undefined where nothing is captured or somebody else sees to it. It alone may change the pod's
 * network (NET_ADMIN), and has nothing to write to.
 */
export function initContainer(asked: AskedProxy, values: InjectionValues, { uid, gid }: RunsAs): Named | undefined {
  if (asked.capture === undefined || values.cni) return undefined;
  const { mode: _, problems: __, ...scope } = asked.scope;
  // What root sends cannot be left alone: too much else is root's.
  const owner = { uid: uid || PROXY_OWNER.uid, gid: gid || PROXY_OWNER.gid };
  const { ipv4, ipv6 } = captureRules(captureSettings({ mode: asked.capture, ...scope, owner }));
  return {
    name: INIT_CONTAINER,
    image: values.initImage,
    ...(values.imagePullPolicy && { imagePullPolicy: values.imagePullPolicy }),
    command: ["/bin/sh", "-ec"],
    args: [script(ipv4.routes, ipv6.routes)],
    env: [
      { name: "IPTABLES", value: ipv4.apply },
      { name: "IP6TABLES", value: ipv6.apply },
    ],
    ...(asked.resources && { resources: asked.resources }),
    securityContext: {
      ...{ allowPrivilegeEscalation: false, privileged: false, readOnlyRootFilesystem: true },
      capabilities: { add: ["NET_ADMIN"], drop: ["ALL"] },
      ...{ runAsUser: 0, runAsGroup: 0, runAsNonRoot: false },
      ...(values.seccompProfile && { seccompProfile: values.seccompProfile }),
    },
  };
}

/**
 * May run any number of times. A pod with an IPv6 address is captured there as well, or does not start; one that has
 * none but those that every interface makes up (scope 20) starts where the kernel cannot, and says so.
 */
function script(ipv4: readonly Route[], ipv6: readonly Route[]): string {
  return `printf %s "$IPTABLES" | iptables-restore --noflush
${ipv4.map(routeCommand).join("")}ipv6=none
if [ -e /proc/net/if_inet6 ]; then
  while read -r address index prefix scope flags interface; do
    if [ "$interface" = lo ]; then continue; fi
    if [ "$scope" != 20 ]; then ipv6=own; elif [ "$ipv6" = none ]; then ipv6=made-up; fi
  done </proc/net/if_inet6
fi
if [ "$ipv6" = none ]; then exit; fi
if printf %s "$IP6TABLES" | ip6tables-restore --noflush; then
${ipv6.map(routeCommand).join("")}elif [ "$ipv6" = own ]; then
  echo "IPv6 connections of this pod cannot be led to its proxy" >&2
  exit 1
else
  echo "this kernel leads no IPv6 connections to the proxy: fe80:: addresses of this pod are reached past it" >&2
fi
`;
}

/** What was added before is taken back first: twice it would not go. */
function routeCommand({ add, remove }: Route): string {
  return `ip ${remove.join(" ")} 2>/dev/null || :\nip ${add.join(" ")}\n`;
}
