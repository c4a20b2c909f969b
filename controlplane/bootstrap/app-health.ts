// How the kubelet's probes of an application reach it past its sidecar, which under STRICT takes nothing from a kubelet:
// they are asked at the readiness port, and Envoy asks the application, from where nothing is captured.
import { buildAddress } from "./addresses.ts";

/** A probe that was led to the readiness port. */
export interface AppProbe {
  /** What is asked for there, as in `/app-health/web/readyz`. */
  readonly path: string;
  readonly check: AppCheck;
  readonly timeoutSeconds: number;
  readonly periodSeconds: number;
}

/** What the application is asked. */
export type AppCheck =
  /** `keepsHost`: the probe names a host itself. */
  | {
      readonly kind: "http";
      readonly port: number;
      readonly path: string;
      readonly tls: boolean;
      readonly keepsHost: boolean;
    }
  | { readonly kind: "tcp"; readonly port: number }
  | { readonly kind: "grpc"; readonly port: number; readonly service: string };

/** The application, as its proxy finds it. */
export interface AppHealth {
  readonly probes: readonly AppProbe[];
  /** The pod's own, to which probes are sent. */
  readonly podIp: string;
}

type Message = Readonly<Record<string, unknown>>;

/** From here the proxy calls its application: the rules of capture leave it alone (capture/family.ts). */
const FROM_PROXY = { IPv4: ["127.0.0.6"], IPv6: ["::6"], dual: ["127.0.0.6", "::6"] } as const;
const UNHEALTHY_INTERVAL = "1s";
const TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/** Returns the routes of HTTP probes: request and answer pass through, but for where a redirect leads. */
export function buildProbeRoutes({ probes, podIp }: AppHealth): readonly Message[] {
  return probes.flatMap(({ path, check, timeoutSeconds }) =>
    check.kind !== "http"
      ? []
      : {
          match: { path, headers: [{ name: ":method", string_match: { exact: "GET" } }] },
          route: {
            cluster: clusterName(check),
            prefix_rewrite: check.path,
            timeout: `${timeoutSeconds}s`,
            ...(!check.keepsHost && { host_rewrite_literal: `${bracketed(podIp)}:${check.port}` }),
          },
          // The kubelet would look for it at the readiness port. Without it a redirect is an answer of one who is well.
          response_headers_to_remove: ["location"],
        },
  );
}

/** Returns the HTTP filters that answer the other probes: by whether Envoy itself reaches the application. */
export function buildProbeFilters({ probes }: AppHealth): readonly Message[] {
  return probes.flatMap(({ path, check }) =>
    check.kind === "http"
      ? []
      : {
          name: path,
          typed_config: {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.health_check.v3.HealthCheck",
            pass_through_mode: false,
            cluster_min_healthy_percentages: { [clusterName(check)]: { value: 100 } },
            headers: [{ name: ":path", string_match: { exact: path } }],
          },
        },
  );
}

/** Returns the clusters of what is probed, one for all probes that ask the same. */
export function buildProbeClusters(
  { probes, podIp }: AppHealth,
  ipFamilies: keyof typeof FROM_PROXY,
): readonly Message[] {
  const byName = new Map(probes.map((probe) => [clusterName(probe.check), probe]));
  return [...byName].map(([name, probe]) => ({
    name,
    type: "STATIC",
    connect_timeout: "1s",
    upstream_bind_config: bindTo(FROM_PROXY[ipFamilies]),
    load_assignment: {
      cluster_name: name,
      endpoints: [
        { lb_endpoints: [{ endpoint: { address: buildAddress({ address: podIp, port: probe.check.port }) } }] },
      ],
    },
    ...checked(probe, podIp),
  }));
}

function bindTo([first, ...others]: readonly string[]): Message {
  const from = (address = "") => ({ address, port_value: 0 });
  return {
    source_address: from(first),
    ...(others.length > 0 && { extra_source_addresses: others.map((address) => ({ address: from(address) })) }),
  };
}

/** The kubelet looks at no certificate either. */
function checked({ check, timeoutSeconds, periodSeconds }: AppProbe, podIp: string): Message {
  if (check.kind === "http")
    return check.tls
      ? { transport_socket: { name: "envoy.transport_sockets.tls", typed_config: { "@type": TLS } } }
      : {};
  const each = {
    timeout: `${timeoutSeconds}s`,
    ...{ interval: `${periodSeconds}s`, no_traffic_interval: UNHEALTHY_INTERVAL },
    ...{ no_traffic_healthy_interval: `${periodSeconds}s`, unhealthy_interval: UNHEALTHY_INTERVAL },
    ...{ unhealthy_threshold: 1, healthy_threshold: 1, reuse_connection: false },
  };
  if (check.kind === "tcp") return { health_checks: [{ ...each, tcp_health_check: {} }] };
  const authority = `${bracketed(podIp)}:${check.port}`;
  return {
    health_checks: [{ ...each, grpc_health_check: { service_name: check.service, authority } }],
    typed_extension_protocol_options: {
      [HTTP_OPTIONS]: {
        "@type": `type.googleapis.com/${HTTP_OPTIONS}`,
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
  };
}

function clusterName(check: AppCheck): string {
  if (check.kind === "http") return `app-${check.tls ? "https" : "http"}-${check.port}`;
  return `app-${check.kind}-${check.port}${check.kind === "grpc" && check.service !== "" ? `-${check.service}` : ""}`;
}

function bracketed(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}
