// consumes: the address of a control plane, a proxy's identity
// produces: a delta ADS client that asks for what an Envoy of the mesh asks for, and acknowledges everything
// never does: look into resources further than their names
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import protobuf from "protobufjs/light.js";
import { encode } from "../../protos/codec.ts";
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

/** Bytes that a server may send before we say that we have read some. Envoy allows as much or more where it is not told otherwise (initial_stream_window_size). */
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
  const client = new Client(`127.0.0.1:${port}`, credentials.createSsl(Buffer.from(rootPem)), {
    "grpc.ssl_target_name_override": serverName, "grpc.use_local_subchannel_pool": 1, "grpc.max_receive_message_length": -1, "grpc.enable_channelz": 0,
    "grpc-node.flow_control_window": ENVOYS_WINDOW,
  });
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${proxy.token}`);
  const asItIs = (bytes: Buffer): Buffer => bytes;
  const call = client.makeBidiStreamRequest("/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources", asItIs, asItIs, metadata);
  const send = (typeUrl: string, more: { resourceNamesSubscribe?: string[]; responseNonce?: string; node?: object } = {}): void =>
    void call.write(Buffer.from(encode("DeltaDiscoveryRequest", { typeUrl, ...more })));
  const missing = new Set(ALL_TYPES);
  const awaited = new Set<string>();
  let isComplete = false;

  call.on("data", (bytes: Buffer) => {
    const response = scanResponse(bytes);
    send(response.typeUrl, { responseNonce: response.nonce });
    const isFirst = missing.delete(response.typeUrl);
    if (response.typeUrl === CLUSTERS) {
      const names = response.names.filter((name) => name.startsWith("outbound|"));
      for (const name of names) awaited.add(name);
      if (names.length > 0) send(ENDPOINTS, { resourceNamesSubscribe: names });
    }
    if (response.typeUrl === LISTENERS && isFirst) {
      send(ROUTES, { resourceNamesSubscribe: ["80"] });
      send(FILTERS, { resourceNamesSubscribe: [...new Set(bytes.toString("latin1").match(FILTER_NAME))] });
      send(SECRETS, { resourceNamesSubscribe: ["default", "ROOTCA"] });
    }
    // As Envoy: what hosts a route configuration has is not named, they are pushed.
    if (response.typeUrl === ROUTES && isFirst) send(HOSTS);
    if (response.typeUrl === ENDPOINTS) for (const name of response.names) awaited.delete(name);
    events.received(response.names, bytes.length);
    if (!isComplete && missing.size === 0 && awaited.size === 0) {
      isComplete = true;
      events.complete();
    }
  });
  call.on("error", (error) => events.failed(`${proxy.name}: ${error.message}${isComplete ? "" : `; not answered: ${[...missing].join(" ")}, endpoints missing: ${awaited.size}`}`));
  const { name, namespace, serviceAccount } = proxy;
  const node = { id: proxy.nodeId, cluster: "bench", metadata: { NAME: name, NAMESPACE: namespace, SERVICE_ACCOUNT: serviceAccount } };
  send(CLUSTERS, { node });
  send(LISTENERS);
}

interface Scanned { readonly typeUrl: string; readonly nonce: string; readonly names: readonly string[] }

// Fields of envoy.service.discovery.v3.DeltaDiscoveryResponse.
const RESOURCES = 2, TYPE_URL = 4, NONCE = 5;
// A field of Resource.
const NAME = 3;

function scanResponse(bytes: Uint8Array): Scanned {
  const reader = protobuf.Reader.create(bytes);
  const names: string[] = [];
  let typeUrl = "", nonce = "";
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const field = tag >>> 3;
    if (field === RESOURCES) names.push(scanName(reader));
    else if (field === TYPE_URL) typeUrl = reader.string();
    else if (field === NONCE) nonce = reader.string();
    else reader.skipType(tag & 7);
  }
  return { typeUrl, nonce, names };
}

/** Returns the name of the Resource that begins here, and moves behind it. */
function scanName(reader: protobuf.Reader): string {
  const length = reader.uint32();
  const end = reader.pos + length;
  let name = "";
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag >>> 3 === NAME) name = reader.string();
    else reader.skipType(tag & 7);
  }
  return name;
}
