// The container of a pod's proxy: stock Envoy with its bootstrap as text, as nobody who may do anything.
import { LABELS } from "../../filters/telemetry/labels.ts";
import type { AppProbe } from "../bootstrap/app-health.ts";
import { buildCapturedBootstrap } from "../bootstrap/captured-bootstrap.ts";
import { envoyFlags } from "../bootstrap/envoy-flags.ts";
import { PROXY_OWNER } from "../capture/settings.ts";
import { READINESS_PORT, STATISTICS_PORT } from "../model/capture-ports.ts";
import type { Labels } from "../model/labels.ts";
import type { AskedProxy } from "./asked-proxy.ts";
import { ADMIN_SOCKET, mountsOf, OVERRIDE_FILE, ROOT_CERTIFICATE, TOKEN_FILES } from "./files.ts";
import type { Named } from "./pod.ts";
import type { InjectionValues } from "./values.ts";

export const PROXY_CONTAINER = "istio-proxy";

/** Whose proxy it is. */
export interface ProxyFacts {
  readonly kind: "sidecar" | "router";
  readonly workload: string;
  readonly serviceAccount: string;
  readonly labels: Labels;
  readonly trustDomain: string;
  readonly ipFamilies: IpFamilies;
  readonly probes: readonly AppProbe[];
}

/** Which addresses pods have. */
export type IpFamilies = "IPv4" | "IPv6" | "dual";

/** Every node has heard by then that the pod is no endpoint any more. */
const GATEWAY_WAITS_SECONDS = 5;

/** What Kubernetes puts in place of these, in arguments, for each pod. */
const POD_IP = "$(POD_IP)";
const POD_IPS = "$(POD_IPS)";
const POD_NAME = "$(POD_NAME)";
const POD_NAMESPACE = "$(POD_NAMESPACE)";
const CPU_LIMIT = "$(CPU_LIMIT)";

/** Returns the container; where it stands in the pod is for others to say. */
export function proxyContainer(facts: ProxyFacts, asked: AskedProxy, values: InjectionValues): Named {
  return {
    name: PROXY_CONTAINER,
    image: asked.image,
    ...(values.imagePullPolicy && { imagePullPolicy: values.imagePullPolicy }),
    command: ["/usr/local/bin/envoy"],
    args: envoyArguments(facts, asked, values),
    ports: [{ containerPort: STATISTICS_PORT, name: "http-envoy-prom", protocol: "TCP" }],
    env: environmentOf(asked),
    ...lifecycleOf(facts, values),
    ...(asked.hasStatusPort && probesOf(asked)),
    ...(asked.resources && { resources: asked.resources }),
    securityContext: securityOf(asked, values),
    volumeMounts: mountsOf(asked),
  };
}

function envoyArguments(facts: ProxyFacts, asked: AskedProxy, values: InjectionValues): readonly string[] {
  const id = `${facts.kind}~${POD_IP}~${POD_NAME}.${POD_NAMESPACE}~${POD_NAMESPACE}.svc.cluster.local`;
  const cluster = `${facts.labels["app"] ?? facts.workload}.${POD_NAMESPACE}`;
  return [
    ...(asked.bootstrapOverride === undefined ? [] : ["-c", OVERRIDE_FILE]),
    ...["--config-yaml", forArguments(JSON.stringify(bootstrapOf(facts, asked, values)))],
    ...envoyFlags({
      node: { id, cluster },
      concurrency: asked.concurrency === 0 ? undefined : (asked.concurrency?.toString() ?? CPU_LIMIT),
      logLevel: asked.logLevel,
      componentLogLevel: asked.componentLogLevel,
    }),
  ];
}

function bootstrapOf(facts: ProxyFacts, asked: AskedProxy, values: InjectionValues): object {
  const { workload, serviceAccount, labels, trustDomain, probes } = facts;
  const colon = asked.xdsAddress.lastIndexOf(":");
  const host = asked.xdsAddress.slice(0, colon);
  return buildCapturedBootstrap({
    capture: facts.kind === "sidecar" ? asked.capture : undefined,
    ...{ workload, serviceAccount, labels, trustDomain, clusterId: values.clusterId, namespace: POD_NAMESPACE },
    controlPlane: {
      at: { address: host, port: Number(asked.xdsAddress.slice(colon + 1)) },
      rootCertificateFile: ROOT_CERTIFICATE,
      serverName: host,
    },
    token: TOKEN_FILES,
    admin: { pipe: ADMIN_SOCKET },
    ipFamilies: facts.ipFamilies,
    metricLabels: LABELS,
    extraStatTags: asked.extraStatTags,
    instanceIps: POD_IPS,
    ...(probes.length > 0 && { appHealth: { probes, podIp: POD_IP } }),
  });
}

/** In arguments Kubernetes reads `$$` as `$`, and `$(NAME)` as a variable: ours are meant, no others. */
function forArguments(text: string): string {
  return text.replaceAll(/\$(?!\((?:POD_IP|POD_IPS|POD_NAMESPACE)\))/g, () => "$$");
}

/** What arguments name comes first. */
function environmentOf(asked: AskedProxy): readonly object[] {
  const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  return [
    field("POD_NAME", "metadata.name"),
    field("POD_NAMESPACE", "metadata.namespace"),
    field("POD_IP", "status.podIP"),
    field("POD_IPS", "status.podIPs"),
    ...(asked.concurrency === undefined
      ? [{ name: "CPU_LIMIT", valueFrom: { resourceFieldRef: { resource: "limits.cpu", divisor: "1" } } }]
      : []),
    ...Object.entries(asked.environment).map(([name, value]) => ({ name, value })),
  ];
}

/**
 * Envoy ends at once when it is told to. A gateway waits until nobody sends it new connections; a sidecar is told when
 * its application has ended.
 */
function lifecycleOf({ kind }: ProxyFacts, { lifecycle, canSleep }: InjectionValues): object {
  if (lifecycle !== undefined) return { lifecycle };
  return kind === "router" && canSleep ? { lifecycle: { preStop: { sleep: { seconds: GATEWAY_WAITS_SECONDS } } } } : {};
}

function probesOf({ readiness, isNative }: AskedProxy): object {
  const httpGet = { path: "/healthz/ready", port: READINESS_PORT };
  const { initialDelaySeconds, periodSeconds, failureThreshold, startupFailureThreshold } = readiness;
  return {
    // What comes after a native sidecar starts once this is true: no application before its proxy.
    ...(isNative && {
      startupProbe: { httpGet, periodSeconds: 1, timeoutSeconds: 3, failureThreshold: startupFailureThreshold },
    }),
    readinessProbe: { httpGet, initialDelaySeconds, periodSeconds, timeoutSeconds: 3, failureThreshold },
  };
}

/**
 * TPROXY answers in other addresses' names, for which a process must be root with NET_ADMIN; then the rules know the
 * proxy by its group alone.
 */
function securityOf(asked: AskedProxy, { seccompProfile }: InjectionValues): object {
  const add = [
    ...(asked.capture === "TPROXY" ? ["NET_ADMIN"] : []),
    ...(asked.bindsLowPorts ? ["NET_BIND_SERVICE"] : []),
  ];
  const isRoot = add.length > 0;
  return {
    ...{ allowPrivilegeEscalation: false, privileged: false, readOnlyRootFilesystem: true },
    capabilities: { ...(isRoot && { add }), drop: ["ALL"] },
    ...{ runAsUser: isRoot ? 0 : PROXY_OWNER.uid, runAsGroup: PROXY_OWNER.gid, runAsNonRoot: !isRoot },
    ...(seccompProfile && { seccompProfile }),
  };
}
