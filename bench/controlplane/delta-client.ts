// consumes: the address of a control plane, a proxy's identity
// produces: a delta ADS client that asks for what an Envoy of the mesh asks for, and acknowledges everything
// never does: hold what it is sent
import type { DeltaDiscoveryRequest } from "../../protos/build/envoy.ts";
import { connectDelta, type DeltaResponse, type DeltaTarget } from "../../test/support/delta-stream.ts";
import { CLUSTERS, ENDPOINTS, HOSTS, LISTENERS, ROUTES, SECRETS, typeUrl } from "../../test/support/xds-types.ts";
import type { ProxyClient } from "./messages.ts";

const FILTERS = typeUrl("config.core.v3.TypedExtensionConfig");
const ALL_TYPES = [CLUSTERS, ENDPOINTS, LISTENERS, ROUTES, HOSTS, FILTERS, SECRETS];

/** Names of filter configurations as they stand in listeners; names of other things are answered as not there. */
const FILTER_NAME = /scrim\.[a-z][a-z.+]*/g;

export interface ClientOptions {
  readonly target: DeltaTarget;
  readonly proxy: ProxyClient;
  /** Every response: its names, and the bytes of the message. */
  readonly received: (names: readonly string[], bytes: number) => void;
  /** All types were answered, and every cluster has its endpoints. */
  readonly complete: () => void;
  readonly failed: (reason: string) => void;
}

/** Opens the stream; it stays open until the process ends. */
export function openDeltaClient({ target, proxy, ...events }: ClientOptions): void {
  const missing = new Set(ALL_TYPES);
  const awaited = new Set<string>();
  let isComplete = false;
  const state = (): string =>
    isComplete ? "" : `; not answered: ${[...missing].join(" ")}, endpoints missing: ${awaited.size}`;
  const stream = connectDelta(target).open({
    token: proxy.token,
    ended: (why) => events.failed(`${proxy.name}: ${why}${state()}`),
    received(response) {
      stream.send({ typeUrl: response.typeUrl, responseNonce: response.nonce });
      const isFirst = missing.delete(response.typeUrl);
      for (const request of asked(response, isFirst)) stream.send(request);
      if (response.typeUrl === CLUSTERS) for (const name of outboundOf(response)) awaited.add(name);
      if (response.typeUrl === ENDPOINTS) for (const name of response.names) awaited.delete(name);
      events.received(response.names, response.bytes);
      if (!isComplete && missing.size === 0 && awaited.size === 0) {
        isComplete = true;
        events.complete();
      }
    },
  });
  const { name, namespace, serviceAccount } = proxy;
  const metadata = { NAME: name, NAMESPACE: namespace, SERVICE_ACCOUNT: serviceAccount };
  stream.send({ typeUrl: CLUSTERS, node: { id: proxy.nodeId, cluster: "bench", metadata } });
  stream.send({ typeUrl: LISTENERS });
}

const outboundOf = ({ names }: DeltaResponse): readonly string[] =>
  names.filter((name) => name.startsWith("outbound|"));

/** What an Envoy asks for once it has this. */
function asked(response: DeltaResponse, isFirst: boolean): readonly DeltaDiscoveryRequest[] {
  if (response.typeUrl === CLUSTERS) {
    const names = outboundOf(response);
    return names.length === 0 ? [] : [{ typeUrl: ENDPOINTS, resourceNamesSubscribe: [...names] }];
  }
  if (!isFirst) return [];
  // As Envoy: what hosts a route configuration has is not named, they are pushed.
  if (response.typeUrl === ROUTES) return [{ typeUrl: HOSTS }];
  if (response.typeUrl !== LISTENERS) return [];
  const filters = new Set(response.message().toString("latin1").match(FILTER_NAME));
  return [
    { typeUrl: ROUTES, resourceNamesSubscribe: ["80"] },
    { typeUrl: FILTERS, resourceNamesSubscribe: [...filters] },
    { typeUrl: SECRETS, resourceNamesSubscribe: ["default", "ROOTCA"] },
  ];
}
