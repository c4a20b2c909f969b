// consumes: a control plane's address and the token of a pod
// produces: a delta ADS client that holds what it is sent, comes back with it, and can be told to reject
// never does: apply anything
import { Client, type ClientDuplexStream, credentials, Metadata } from "@grpc/grpc-js";
import { CONTROL_PLANE_SERVER_NAME, nodeId } from "../../controlplane/bootstrap/bootstrap.ts";
import type { PodRecord } from "../../controlplane/local/pod-record.ts";
import type { DeltaDiscoveryRequest, DeltaDiscoveryResponse } from "../../protos/build/envoy.ts";
import { decode, encode } from "../../protos/codec.ts";

const type = (name: string): string => `type.googleapis.com/envoy.${name}`;
const CLUSTERS = type("config.cluster.v3.Cluster");
const ENDPOINTS = type("config.endpoint.v3.ClusterLoadAssignment");
const LISTENERS = type("config.listener.v3.Listener");
const ROUTES = type("config.route.v3.RouteConfiguration");
const HOSTS = type("config.route.v3.VirtualHost");
const SECRETS = type("extensions.transport_sockets.tls.v3.Secret");

export interface DeltaProxyCounts {
  connects: number;
  responses: number;
  resources: number;
  rejections: number;
  bytes: number;
}

/** One simulated proxy; its counts are those of all that share the object. */
export class DeltaProxy {
  readonly #held = new Map<string, Map<string, string>>();
  #call: ClientDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse> | undefined;
  #client: Client | undefined;
  #rejectNext = false;

  constructor(readonly pod: PodRecord, readonly where: { readonly port: number; readonly rootPem: string }, readonly counts: DeltaProxyCounts) {}

  /** Opens the stream, saying what is held. */
  connect(): void {
    this.counts.connects++;
    const client = new Client(`127.0.0.1:${this.where.port}`, credentials.createSsl(Buffer.from(this.where.rootPem)), {
      "grpc.ssl_target_name_override": CONTROL_PLANE_SERVER_NAME, "grpc.use_local_subchannel_pool": 1, "grpc.max_receive_message_length": -1, "grpc.enable_channelz": 0,
    });
    const metadata = new Metadata();
    metadata.set("authorization", `Bearer ${this.pod.token}`);
    const call = client.makeBidiStreamRequest("/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
      (request: DeltaDiscoveryRequest) => Buffer.from(encode("DeltaDiscoveryRequest", request)), (bytes: Buffer) => {
        this.counts.bytes += bytes.length;
        return decode("DeltaDiscoveryResponse", bytes);
      }, metadata);
    [this.#client, this.#call] = [client, call];
    call.on("error", () => undefined);
    call.on("data", (response: DeltaDiscoveryResponse) => this.#receive(call, response));
    const { namespace, name, serviceAccount, ip } = this.pod;
    const node = { id: nodeId({ kind: "sidecar", podIp: ip, podName: name, namespace }), cluster: "endurance", metadata: { NAME: name, NAMESPACE: namespace, SERVICE_ACCOUNT: serviceAccount } };
    call.write({ node, ...this.#asked(CLUSTERS) });
    call.write(this.#asked(LISTENERS));
    // As Envoy: what hosts a route configuration has is not named, they are pushed.
    call.write(this.#asked(HOSTS));
    for (const [typeUrl, names] of [[ROUTES, ["80"]], [SECRETS, ["default", "ROOTCA"]], [ENDPOINTS, [...this.#of(ENDPOINTS).keys()]]] as const) {
      if (names.length > 0) call.write({ ...this.#asked(typeUrl), resourceNamesSubscribe: names });
    }
  }

  /** The next response with resources is rejected, as Envoy does: not naming which. */
  rejectNext(): void {
    this.#rejectNext = true;
  }

  disconnect(): void {
    this.#call?.cancel();
    this.#client?.close();
  }

  #of(typeUrl: string): Map<string, string> {
    const known = this.#held.get(typeUrl) ?? new Map<string, string>();
    this.#held.set(typeUrl, known);
    return known;
  }

  #asked(typeUrl: string): DeltaDiscoveryRequest {
    return { typeUrl, initialResourceVersions: Object.fromEntries(this.#of(typeUrl)) };
  }

  #receive(call: ClientDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>, { typeUrl = "", nonce = "", resources = [], removedResources = [] }: DeltaDiscoveryResponse): void {
    this.counts.responses++;
    this.counts.resources += resources.length;
    if (this.#rejectNext && resources.length > 0) {
      this.#rejectNext = false;
      this.counts.rejections++;
      return void call.write({ typeUrl, responseNonce: nonce, errorDetail: { code: 3, message: `endurance rejects ${this.counts.rejections}` } });
    }
    const held = this.#of(typeUrl);
    const isNew = resources.map(({ name = "" }) => name).filter((name) => !held.has(name));
    for (const { name = "", version = "" } of resources) held.set(name, version);
    for (const name of removedResources) held.delete(name);
    call.write({ typeUrl, responseNonce: nonce });
    if (typeUrl !== CLUSTERS) return;
    const gone = removedResources.filter((name) => this.#of(ENDPOINTS).delete(name));
    const wanted = isNew.filter((name) => name.startsWith("outbound|"));
    if (wanted.length + gone.length > 0) call.write({ typeUrl: ENDPOINTS, resourceNamesSubscribe: wanted, resourceNamesUnsubscribe: gone });
  }
}
