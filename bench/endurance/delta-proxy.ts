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
export const ENDPOINTS = type("config.endpoint.v3.ClusterLoadAssignment");
const LISTENERS = type("config.listener.v3.Listener");
const ROUTES = type("config.route.v3.RouteConfiguration");
export const HOSTS = type("config.route.v3.VirtualHost");
const SECRETS = type("extensions.transport_sockets.tls.v3.Secret");

export interface DeltaProxyCounts {
  connects: number;
  /** Streams that ended without our doing. */
  losses: number;
  responses: number;
  resources: number;
  rejections: number;
  bytes: number;
}

/** As the bootstrap tells Envoy. */
const BACKOFF_MS = 200;
const LONGEST_BACKOFF_MS = 2_000;

/**
 * One simulated proxy; its counts are those of all that share the object. It comes back when its stream ends, as an
 * Envoy does, until it is told to disconnect.
 */
export class DeltaProxy {
  readonly #held = new Map<string, Map<string, string>>();
  #call: ClientDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse> | undefined;
  #client: Client | undefined;
  #rejectNext = false;
  #isWanted = false;
  #losses = 0;
  #again: NodeJS.Timeout | undefined;

  constructor(
    readonly pod: Pick<PodRecord, "name" | "namespace" | "serviceAccount" | "ip" | "token">,
    readonly where: { readonly port: number; readonly rootPem: string },
    readonly counts: DeltaProxyCounts,
  ) {}

  /** Opens the stream, saying what is held. */
  connect(): void {
    this.#isWanted = true;
    this.counts.connects++;
    const client = new Client(`127.0.0.1:${this.where.port}`, credentials.createSsl(Buffer.from(this.where.rootPem)), {
      "grpc.ssl_target_name_override": CONTROL_PLANE_SERVER_NAME,
      "grpc.use_local_subchannel_pool": 1,
      "grpc.max_receive_message_length": -1,
      "grpc.enable_channelz": 0,
    });
    const metadata = new Metadata();
    metadata.set("authorization", `Bearer ${this.pod.token}`);
    const call = client.makeBidiStreamRequest(
      "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
      (request: DeltaDiscoveryRequest) => Buffer.from(encode("DeltaDiscoveryRequest", request)),
      (bytes: Buffer) => {
        this.counts.bytes += bytes.length;
        return decode("DeltaDiscoveryResponse", bytes);
      },
      metadata,
    );
    [this.#client, this.#call] = [client, call];
    call.on("error", () => this.#lose(client));
    call.on("data", (response: DeltaDiscoveryResponse) => this.#receive(call, response));
    const { namespace, name, serviceAccount, ip } = this.pod;
    const node = {
      id: nodeId({ kind: "sidecar", podIp: ip, podName: name, namespace }),
      cluster: "endurance",
      metadata: { NAME: name, NAMESPACE: namespace, SERVICE_ACCOUNT: serviceAccount },
    };
    call.write({ node, ...this.#asked(CLUSTERS) });
    call.write(this.#asked(LISTENERS));
    // As Envoy: what hosts a route configuration has is not named, they are pushed.
    call.write(this.#asked(HOSTS));
    for (const [typeUrl, names] of [
      [ROUTES, ["80"]],
      [SECRETS, ["default", "ROOTCA"]],
      [ENDPOINTS, [...this.#of(ENDPOINTS).keys()]],
    ] as const) {
      if (names.length > 0) call.write({ ...this.#asked(typeUrl), resourceNamesSubscribe: names });
    }
  }

  /** The next response with resources is rejected, as Envoy does: not naming which. */
  rejectNext(): void {
    this.#rejectNext = true;
  }

  disconnect(): void {
    this.#isWanted = false;
    clearTimeout(this.#again);
    this.#call?.cancel();
    this.#client?.close();
  }

  /** The version that it holds of a resource; undefined where it has none. */
  versionOf(typeUrl: string, name: string): string | undefined {
    return this.#held.get(typeUrl)?.get(name);
  }

  #lose(client: Client): void {
    if (!this.#isWanted || client !== this.#client) return;
    this.counts.losses++;
    client.close();
    const upTo = Math.min(LONGEST_BACKOFF_MS, BACKOFF_MS * 2 ** this.#losses++);
    this.#again = setTimeout(() => this.connect(), Math.random() * upTo);
  }

  #of(typeUrl: string): Map<string, string> {
    const known = this.#held.get(typeUrl) ?? new Map<string, string>();
    this.#held.set(typeUrl, known);
    return known;
  }

  #asked(typeUrl: string): DeltaDiscoveryRequest {
    return { typeUrl, initialResourceVersions: Object.fromEntries(this.#of(typeUrl)) };
  }

  #receive(
    call: ClientDuplexStream<DeltaDiscoveryRequest, DeltaDiscoveryResponse>,
    { typeUrl = "", nonce = "", resources = [], removedResources = [] }: DeltaDiscoveryResponse,
  ): void {
    this.#losses = 0;
    this.counts.responses++;
    this.counts.resources += resources.length;
    if (this.#rejectNext && resources.length > 0) {
      this.#rejectNext = false;
      this.counts.rejections++;
      return void call.write({
        typeUrl,
        responseNonce: nonce,
        errorDetail: { code: 3, message: `endurance rejects ${this.counts.rejections}` },
      });
    }
    const held = this.#of(typeUrl);
    const isNew = resources.map(({ name = "" }) => name).filter((name) => !held.has(name));
    for (const { name = "", version = "" } of resources) held.set(name, version);
    for (const name of removedResources) held.delete(name);
    call.write({ typeUrl, responseNonce: nonce });
    if (typeUrl !== CLUSTERS) return;
    const gone = removedResources.filter((name) => this.#of(ENDPOINTS).delete(name));
    const wanted = isNew.filter((name) => name.startsWith("outbound|"));
    if (wanted.length + gone.length > 0)
      call.write({ typeUrl: ENDPOINTS, resourceNamesSubscribe: wanted, resourceNamesUnsubscribe: gone });
  }
}
