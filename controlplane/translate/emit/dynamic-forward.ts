// The way to hosts that nobody declared: resolved when asked for, and never to this machine or its cloud's metadata
// service.
import type {
  DnsCacheConfig,
  Filter,
  HttpFilter,
  LocalReplyConfig,
  Permission,
  VirtualHost,
} from "../../../protos/build/envoy.ts";
import { packAny } from "../../../protos/codec.ts";
import { expressionFilter } from "./access-log.ts";

/** Loopback, link-local, unspecified, and the IPv6 forms that IPv4 ones can be written in. */
const refusedBlocks: readonly (readonly [address: string, prefixLength: number])[] = [
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["0.0.0.0", 8],
  ["::1", 128],
  ["::", 128],
  ["fe80::", 10],
  ["::ffff:0:0", 96],
  ["64:ff9b::", 96],
  ["fd00:ec2::254", 128],
];

/**
 * Returns the one DNS cache that the forwarding filter and its cluster share: Envoy wants both to say the same of it.
 */
export function buildDnsCache(): DnsCacheConfig {
  return {
    name: "dynamic_forward_proxy",
    dnsLookupFamily: "V4_PREFERRED",
    maxHosts: 1024,
    dnsQueryTimeout: { seconds: 5 },
  };
}

/** The policy's name, which Envoy tells in a refused request's details. */
const POLICY = "scrim-local-address";
const GUARD = "scrim.refuse_local_addresses";

/**
 * Returns the filters of a chain that may forward to unknown hosts: resolution, then the refusal of local addresses.
 * Other clusters' requests pass the first untouched; the second does nothing but where a virtual host says so
 * (guardForwards), since Envoy complains of every request that was not resolved.
 */
export function buildForwardFilters(): readonly HttpFilter[] {
  return [
    {
      name: "envoy.filters.http.dynamic_forward_proxy",
      typedConfig: packAny("DynamicForwardProxyFilterConfig", {
        dnsCacheConfig: buildDnsCache(),
        saveUpstreamAddress: true,
      }),
    },
    { name: GUARD, typedConfig: packAny("HttpRbac", {}) },
  ];
}

/** Returns the network filter that looks up the name that TLS asks for, before the cluster that goes by it. */
export function buildSniForwardFilter(portValue: number): Filter {
  return {
    name: "envoy.filters.network.sni_dynamic_forward_proxy",
    typedConfig: packAny("SniDynamicForwardProxy", { dnsCacheConfig: buildDnsCache(), portValue }),
  };
}

/** What a refused request is answered: why, and how it can be allowed. */
export const explainRefusal: LocalReplyConfig = {
  mappers: [
    {
      filter: expressionFilter(`response.code_details == 'rbac_access_denied_matched_policy[${POLICY}]'`),
      body: {
        inlineString:
          "Scrim: the host is not declared in the mesh and its address is a local one (loopback or link-local), " +
          "where no request is sent unasked. To allow it, declare the host by a ServiceEntry with its endpoint.\n",
      },
    },
  ],
};

/**
 * Returns the virtual host with local addresses refused, if one of its routes leads to a cluster that resolves each
 * request's own host; else the same object.
 */
export function guardForwards(host: VirtualHost, isForward: (cluster: string) => boolean): VirtualHost {
  const clusters = (host.routes ?? []).flatMap(({ route }) => [
    route?.cluster,
    ...(route?.weightedClusters?.clusters ?? []).map(({ name }) => name),
  ]);
  if (!clusters.some((cluster) => cluster !== undefined && isForward(cluster))) return host;
  return { ...host, typedPerFilterConfig: { ...host.typedPerFilterConfig, [GUARD]: refuseLocal } };
}

function upstreamIn([addressPrefix, prefixLen]: readonly [string, number]): Permission {
  return {
    matcher: {
      name: "envoy.rbac.matchers.upstream_ip_port",
      typedConfig: packAny("UpstreamIpPortMatcher", { upstreamIp: { addressPrefix, prefixLen } }),
    },
  };
}

const refuseLocal = packAny("RBACPerRoute", {
  rbac: {
    rules: {
      action: "DENY",
      policies: {
        [POLICY]: {
          permissions: [{ orRules: { rules: refusedBlocks.map(upstreamIn) } }],
          principals: [{ any: true }],
        },
      },
    },
  },
});
