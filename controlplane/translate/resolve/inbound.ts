// What comes in at a sidecar: one entry for each port of its workload.
import type { ServicePortSpec } from "../../model/kinds/service.ts";
import { SIDECAR_PORTS } from "../../model/capture-ports.ts";
import { serviceHost } from "../../model/hosts.ts";
import { byNumber, eachOnce, type ServedPort, servedPorts, servicesSelecting } from "../../pods/served-ports.ts";
import type { World } from "../../world/world.ts";
import type { CapturedInbound, InboundPort, InboundTraffic } from "../ir/proxy.ts";
import type { ProxyClass } from "../ir/proxy-class.ts";
import type { ServiceRef } from "../ir/upstream.ts";
import { resolveAuthorization, withoutHttp } from "./authorization-policy.ts";
import { resolveHttpFilters } from "./http-filters.ts";
import type { Inputs } from "./modules.ts";
import { resolveMtlsMode, resolvePortModes } from "./peer-authentication.ts";
import { isHttp, type PortProtocol, protocolOfServicePort } from "./protocol.ts";
import { type IngressPort, ingressPorts, resolveInboundPool } from "./sidecar-ingress.ts";
import { resolveTcpTelemetry } from "./telemetry.ts";
import { resolveNetworkPlugins, resolvePlugins } from "./wasm-plugin.ts";

/** What a port of each protocol is to the sidecar before it: TLS is for the application to read. */
const INBOUND: Readonly<Record<PortProtocol, InboundPort["protocol"]>> = {
  http: "http1",
  http2: "http2",
  grpc: "http2",
  auto: "auto",
  https: "tcp",
  tls: "tcp",
  tcp: "tcp",
};

/** Returns the inbound ports of a sidecar, in the order in which it listens; none for gateways. */
export function resolveInbound(inputs: Inputs, proxy: ProxyClass): readonly InboundPort[] {
  const { world } = inputs;
  if (proxy.kind !== "sidecar") return [];
  const guards = guardsOf(inputs, proxy);
  return portsOf(world, proxy).map((listen): InboundPort => {
    const served = serviceOf(world, proxy, listen);
    const { name, appProtocol } = listen.protocol
      ? { name: listen.name, appProtocol: listen.protocol }
      : (served?.port ?? { name: listen.name });
    const protocol = protocolOfServicePort(listen.port, name, appProtocol);
    return {
      port: listen.port,
      protocol: INBOUND[protocol],
      mtls: resolveMtlsMode(world, proxy, listen.port),
      ...(served && { service: served.service }),
      ...(listen.target && { target: listen.target }),
      ...resolveInboundPool(world, proxy, listen.port),
      ...(listen.tls && { tls: listen.tls }),
      ...(listen.openedAt !== undefined && { openedAt: listen.openedAt }),
      ...guards(listen.port, protocol === "auto" || !isHttp(protocol)),
    };
  });
}

/**
 * Returns what a captured sidecar takes at ports that no Service declares: what they speak is found out, and they are
 * guarded as those that one does. Undefined for other proxies.
 */
export function resolveCapturedInbound(inputs: Inputs, proxy: ProxyClass): CapturedInbound | undefined {
  const { world } = inputs;
  if (proxy.capture === undefined) return undefined;
  const declared = new Set(portsOf(world, proxy).map(({ port }) => port));
  const { modes, others } = resolvePortModes(world, proxy);
  const own = [...modes].filter(
    ([port, mtls]) => mtls !== others && !declared.has(port) && !SIDECAR_PORTS.includes(port),
  );
  const guards = guardsOf(inputs, proxy);
  return {
    mode: proxy.capture,
    undeclared: [
      { protocol: "auto", mtls: others, ...guards(undefined, true) },
      ...own.map(([port, mtls]) => ({ port, protocol: "auto", mtls, ...guards(port, true) }) as const),
    ],
  };
}

/**
 * A captured sidecar is brought connections to any port: it serves those that its Sidecar names, else those to which a
 * Service leads, as in Istio.
 */
function portsOf(world: World, proxy: ProxyClass): readonly (ServedPort & Partial<IngressPort>)[] {
  const ingress = ingressPorts(world, proxy);
  if (ingress !== undefined) return ingress;
  if (proxy.capture === undefined) return proxy.ports.filter(({ isServed }) => isServed);
  const named = proxy.ports.filter((port) => serviceOf(world, proxy, port) !== undefined);
  return eachOnce([...named, ...servedPorts(world, proxy.namespace, proxy.labels)])
    .filter(({ port }) => !SIDECAR_PORTS.includes(port))
    .sort(byNumber);
}

/** What stands before a port (undefined: before all that nobody tells apart), and before what is not HTTP there. */
function guardsOf(inputs: Inputs, proxy: ProxyClass) {
  const filters = resolveHttpFilters(inputs, proxy, "inbound", false);
  const policies = resolveAuthorization(inputs.world, proxy);
  return (
    port: number | undefined,
    mayBeTcp: boolean,
  ): Pick<InboundTraffic, "filters" | "networkPlugins" | "tcpTelemetry" | "tcpAuthorization"> => ({
    filters: { ...filters, ...resolvePlugins(inputs, proxy, { direction: "inbound", port }) },
    networkPlugins: resolveNetworkPlugins(inputs, proxy, { direction: "inbound", port }),
    ...(mayBeTcp && { tcpTelemetry: resolveTcpTelemetry(inputs, proxy) }),
    ...(mayBeTcp && policies.length > 0 && { tcpAuthorization: withoutHttp(policies) }),
  });
}

/** The oldest service that leads to this port says what is spoken there and gives telemetry its name. */
function serviceOf(
  world: World,
  proxy: ProxyClass,
  listen: ServedPort,
): { service: ServiceRef; port: ServicePortSpec } | undefined {
  for (const { metadata, spec } of servicesSelecting(world, proxy.namespace, proxy.labels)) {
    const port = (spec.ports ?? []).find((candidate) => leadsTo(candidate, listen));
    if (port !== undefined)
      return {
        port,
        service: {
          host: serviceHost(metadata.name, metadata.namespace),
          name: metadata.name,
          namespace: metadata.namespace,
        },
      };
  }
  return undefined;
}

function leadsTo(port: ServicePortSpec, listen: ServedPort): boolean {
  const target = port.targetPort ?? port.port;
  return typeof target === "number" ? target === listen.port : target === listen.name || target === String(listen.port);
}
