// The names of the mesh's hosts, answered inside the proxy for programs that ask a resolver.
import type { DnsTable_DnsVirtualDomain, Listener } from "../../../protos/build/envoy.ts";
import { packAny } from "../../../protos/codec.ts";
import { memoized } from "../../world/memo.ts";
import { DNS_PORT } from "../../model/capture-ports.ts";
import type { NamedAddresses } from "../ir/captured.ts";
import { DNS_LISTENER } from "./names.ts";

const LIFETIME_SECONDS = 30;

/**
 * Returns the listener that answers for the hosts of the mesh in the family of the pod's own address, and asks the
 * pod's resolvers for everything else. It stands apart, so that a name that comes or goes touches nothing else.
 */
export const buildDnsListener = memoized(
  (names: readonly NamedAddresses[], isV6: boolean): Listener => ({
    name: DNS_LISTENER,
    address: { socketAddress: { protocol: "UDP", address: isV6 ? "::1" : "127.0.0.1", portValue: DNS_PORT } },
    udpListenerConfig: { downstreamSocketConfig: { maxRxDatagramSize: 4_096 } },
    listenerFilters: [
      {
        name: "envoy.filters.udp.dns_filter",
        typedConfig: packAny("DnsFilterConfig", {
          statPrefix: "mesh",
          serverConfig: {
            inlineDnsTable: {
              externalRetryCount: 2,
              virtualDomains: names.flatMap((entry) => domainsOf(entry, isV6)),
            },
          },
          clientConfig: {
            resolverTimeout: { seconds: 5 },
            maxPendingLookups: 4_096,
            typedDnsResolverConfig: {
              name: "envoy.network.dns_resolver.cares",
              // Programs have put their search domains to the name already.
              typedConfig: packAny("CaresDnsResolverConfig", { dnsResolverOptions: { noDefaultSearchDomain: true } }),
            },
          },
        }),
      },
    ],
  }),
);

function domainsOf({ name, addresses }: NamedAddresses, isV6: boolean): readonly DnsTable_DnsVirtualDomain[] {
  const address = addresses.filter((one) => one.includes(":") === isV6);
  return address.length === 0
    ? []
    : [{ name, endpoint: { addressList: { address } }, answerTtl: { seconds: LIFETIME_SECONDS } }];
}
