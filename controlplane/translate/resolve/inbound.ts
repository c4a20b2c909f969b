// What comes in at a sidecar: one entry for each port of its workload.
import type { ServicePortSpec } from "../../model/kinds/service.ts";
import { serviceHost } from "../../model/hosts.ts";
import { servicesSelecting } from "../../pods/served-ports.ts";
import type { World } from "../../world/world.ts";
import type { InboundPort } from "../ir/proxy.ts";
import type { ClassPort, ProxyClass } from "../ir/proxy-class.ts";
import type { ServiceRef } from "../ir/upstream.ts";
import { resolveAuthorization, withoutHttp } from "./authorization-policy.ts";
import { resolveHttpFilters } from "./http-filters.ts";
import type { Inputs } from "./modules.ts";
import { resolveMtlsMode } from "./peer-authentication.ts";
import { isHttp, type PortProtocol, protocolOfServicePort } from "./protocol.ts";
import { resolveTcpTelemetry } from "./telemetry.ts";
import { resolvePlugins } from "./wasm-plugin.ts";

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
  const filters = resolveHttpFilters(inputs, proxy, "inbound", false);
  const policies = resolveAuthorization(world, proxy);
  return proxy.ports.flatMap((listen): readonly InboundPort[] => {
    if (!listen.isServed) return [];
    const served = serviceOf(world, proxy, listen);
    const { name, appProtocol } = served?.port ?? { name: listen.name };
    const protocol = protocolOfServicePort(listen.port, name, appProtocol);
    const mayBeTcp = protocol === "auto" || !isHttp(protocol);
    return [
      {
        port: listen.port,
        protocol: INBOUND[protocol],
        mtls: resolveMtlsMode(world, proxy, listen.port),
        ...(served && { service: served.service }),
        filters: { ...filters, ...resolvePlugins(inputs, proxy, { direction: "inbound", port: listen.port }) },
        ...(mayBeTcp && { tcpTelemetry: resolveTcpTelemetry(inputs, proxy) }),
        ...(mayBeTcp && policies.length > 0 && { tcpAuthorization: withoutHttp(policies) }),
      },
    ];
  });
}

/** The oldest service that leads to this port says what is spoken there and gives telemetry its name. */
function serviceOf(
  world: World,
  proxy: ProxyClass,
  listen: ClassPort,
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

function leadsTo(port: ServicePortSpec, listen: ClassPort): boolean {
  const target = port.targetPort ?? port.port;
  return typeof target === "number" ? target === listen.port : target === listen.name || target === String(listen.port);
}
