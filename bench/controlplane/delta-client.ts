// consumes: the address of a control plane, a proxy's identity
// produces: a delta ADS client that asks for what an Envoy of the mesh asks for, and acknowledges everything
// never does: look into resources further than their names
import { connect, constants } from "node:http2";
import { encode } from "../../protos/codec.ts";
import { framed, messagesFrom, type Pieces } from "./grpc-messages.ts";
import type { ProxyClient } from "./messages.ts";

const type = (name: string): string => `type.googleapis.com/envoy.${name}`;
const CLUSTERS = type("config.cluster.v3.Cluster");
const ENDPOINTS = type("config.endpoint.v3.ClusterLoadAssignment");
const LISTENERS = type("config.listener.v3.Listener");
const ROUTES = type("config.route.v3.RouteConfiguration");
const HOSTS = type("config.route.v3.VirtualHost");
const FILTERS = type("config.core.v3.TypedExtensionConfig");
const SECRETS = type("extensions.transport_sockets.tls.v3.Secret");
const ALL_TYPES = [CLUSTERS, ENDPOINTS, LISTENERS, ROUTES, HOSTS, FILTERS, SECRETS];

/** Names of filter configurations as they stand in listeners; names of other things are answered as not there. */
const FILTER_NAME = /scrim\.[a-z][a-z.+]*/g;

/**
 * Bytes that a server may send before we say that we have read some. Envoy allows as much or more where it is not told
 * otherwise (initial_stream_window_size).
 */
const ENVOYS_WINDOW = 16 * 1024 * 1024;

export interface ClientOptions {
  readonly port: number;
  readonly rootPem: string;
  readonly serverName: string;
  readonly proxy: ProxyClient;
  /** Every response: its names, and the bytes of the message. */
  readonly received: (names: readonly string[], bytes: number) => void;
  /** All types were answered, and every cluster has its endpoints. */
  readonly complete: () => void;
  readonly failed: (reason: string) => void;
}

/** Opens the stream; it stays open until the process ends. */
export function openDeltaClient({ port, rootPem, serverName, proxy, ...events }: ClientOptions): void {
  const session = connect(`https://127.0.0.1:${port}`, {
    ca: rootPem,
    servername: serverName,
    settings: { initialWindowSize: ENVOYS_WINDOW },
  });
  session.once("connect", () => session.setLocalWindowSize(ENVOYS_WINDOW));
  const call = session.request({
    [constants.HTTP2_HEADER_METHOD]: "POST",
    [constants.HTTP2_HEADER_PATH]: "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
    "content-type": "application/grpc",
    te: "trailers",
    authorization: `Bearer ${proxy.token}`,
  });
  const send = (
    typeUrl: string,
    more: { resourceNamesSubscribe?: string[]; responseNonce?: string; node?: object } = {},
  ): void => void call.write(framed(encode("DeltaDiscoveryRequest", { typeUrl, ...more })));
  const missing = new Set(ALL_TYPES);
  const awaited = new Set<string>();
  let isComplete = false;

  call.on(
    "data",
    messagesFrom((message, bytes) => {
      const unread = message.copy();
      const response = scanResponse(message);
      send(response.typeUrl, { responseNonce: response.nonce });
      const isFirst = missing.delete(response.typeUrl);
      if (response.typeUrl === CLUSTERS) {
        const names = response.names.filter((name) => name.startsWith("outbound|"));
        for (const name of names) awaited.add(name);
        if (names.length > 0) send(ENDPOINTS, { resourceNamesSubscribe: names });
      }
      if (response.typeUrl === LISTENERS && isFirst) {
        send(ROUTES, { resourceNamesSubscribe: ["80"] });
        send(FILTERS, { resourceNamesSubscribe: [...new Set(unread.joined().toString("latin1").match(FILTER_NAME))] });
        send(SECRETS, { resourceNamesSubscribe: ["default", "ROOTCA"] });
      }
      // As Envoy: what hosts a route configuration has is not named, they are pushed.
      if (response.typeUrl === ROUTES && isFirst) send(HOSTS);
      if (response.typeUrl === ENDPOINTS) for (const name of response.names) awaited.delete(name);
      events.received(response.names, bytes);
      if (!isComplete && missing.size === 0 && awaited.size === 0) {
        isComplete = true;
        events.complete();
      }
    }),
  );
  call.once("response", (headers) => {
    if (headers["grpc-status"] !== undefined) events.failed(`${proxy.name}: ${String(headers["grpc-message"])}`);
  });
  const ended = (why: string): void =>
    events.failed(
      `${proxy.name}: ` +
        `${why}${isComplete ? "" : `; not answered: ${[...missing].join(" ")}, endpoints missing: ${awaited.size}`}`,
    );
  for (const one of [session, call]) one.on("error", (error: Error) => ended(error.message));
  call.once("trailers", (trailers) => ended(String(trailers["grpc-message"])));
  const { name, namespace, serviceAccount } = proxy;
  const node = {
    id: proxy.nodeId,
    cluster: "bench",
    metadata: { NAME: name, NAMESPACE: namespace, SERVICE_ACCOUNT: serviceAccount },
  };
  send(CLUSTERS, { node });
  send(LISTENERS);
}

interface Scanned {
  readonly typeUrl: string;
  readonly nonce: string;
  readonly names: readonly string[];
}

// Fields of envoy.service.discovery.v3.DeltaDiscoveryResponse; all of them have a length.
const RESOURCES = 2,
  TYPE_URL = 4,
  NONCE = 5;
// A field of Resource.
const NAME = 3;

function scanResponse(message: Pieces): Scanned {
  const names: string[] = [];
  let typeUrl = "",
    nonce = "";
  while (message.length > 0) {
    const tag = message.varint();
    const field = tag >>> 3,
      length = message.varint();
    if (field === RESOURCES) names.push(scanName(message, length));
    else if (field === TYPE_URL) typeUrl = message.text(length);
    else if (field === NONCE) nonce = message.text(length);
    else message.skip(length);
  }
  return { typeUrl, nonce, names };
}

/**
 * Returns the name of the Resource of so many bytes that begins here, and moves behind it. All its fields that are sent
 * have a length.
 */
function scanName(message: Pieces, length: number): string {
  const end = message.length - length;
  let name = "";
  while (message.length > end) {
    const field = message.varint() >>> 3,
      size = message.varint();
    if (field === NAME) name = message.text(size);
    else message.skip(size);
  }
  return name;
}
