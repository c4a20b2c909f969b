// consumes: a control plane's address and the token of a pod
// produces: a delta ADS client that holds what it is sent, comes back with it, and can be told to reject
// never does: apply anything
import { CONTROL_PLANE_SERVER_NAME, nodeId } from "../../controlplane/bootstrap/bootstrap.ts";
import type { PodRecord } from "../../controlplane/local/pod-record.ts";
import type { DeltaDiscoveryRequest } from "../../protos/build/envoy.ts";
import { connectDelta, type DeltaConnection, type DeltaResponse, type DeltaStream } from "./delta-stream.ts";
import { CLUSTERS, ENDPOINTS, HOSTS, LISTENERS, ROUTES, SECRETS } from "./xds-types.ts";

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
  #stream: DeltaStream | undefined;
  #connection: DeltaConnection | undefined;
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
    const { port, rootPem } = this.where;
    const connection = connectDelta({ port, tls: { rootPem, serverName: CONTROL_PLANE_SERVER_NAME } });
    const stream = connection.open({
      token: this.pod.token,
      readsVersions: true,
      ended: () => this.#lose(connection),
      received: (response) => this.#receive(stream, response),
    });
    [this.#connection, this.#stream] = [connection, stream];
    const { namespace, name, serviceAccount, ip } = this.pod;
    const node = {
      id: nodeId({ kind: "sidecar", podIp: ip, podName: name, namespace }),
      cluster: "endurance",
      metadata: { NAME: name, NAMESPACE: namespace, SERVICE_ACCOUNT: serviceAccount },
    };
    stream.send({ node, ...this.#asked(CLUSTERS) });
    stream.send(this.#asked(LISTENERS));
    // As Envoy: what hosts a route configuration has is not named, they are pushed.
    stream.send(this.#asked(HOSTS));
    for (const [typeUrl, names] of [
      [ROUTES, ["80"]],
      [SECRETS, ["default", "ROOTCA"]],
      [ENDPOINTS, [...this.#of(ENDPOINTS).keys()]],
    ] as const) {
      if (names.length > 0) stream.send({ ...this.#asked(typeUrl), resourceNamesSubscribe: names });
    }
  }

  /** The next response with resources is rejected, as Envoy does: not naming which. */
  rejectNext(): void {
    this.#rejectNext = true;
  }

  disconnect(): void {
    this.#isWanted = false;
    clearTimeout(this.#again);
    this.#stream?.close();
    this.#connection?.close();
  }

  /** The version that it holds of a resource; undefined where it has none. */
  versionOf(typeUrl: string, name: string): string | undefined {
    return this.#held.get(typeUrl)?.get(name);
  }

  #lose(connection: DeltaConnection): void {
    if (!this.#isWanted || connection !== this.#connection) return;
    this.counts.losses++;
    connection.close();
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

  #receive(stream: DeltaStream, { typeUrl, nonce, names, versions, removed, bytes }: DeltaResponse): void {
    this.#losses = 0;
    this.counts.responses++;
    this.counts.resources += names.length;
    this.counts.bytes += bytes;
    if (this.#rejectNext && names.length > 0) {
      this.#rejectNext = false;
      this.counts.rejections++;
      return stream.send({
        typeUrl,
        responseNonce: nonce,
        errorDetail: { code: 3, message: `endurance rejects ${this.counts.rejections}` },
      });
    }
    const held = this.#of(typeUrl);
    const isNew = names.filter((name) => !held.has(name));
    names.forEach((name, index) => void held.set(name, versions[index] ?? ""));
    for (const name of removed) held.delete(name);
    stream.send({ typeUrl, responseNonce: nonce });
    if (typeUrl !== CLUSTERS) return;
    const gone = removed.filter((name) => this.#of(ENDPOINTS).delete(name));
    const wanted = isNew.filter((name) => name.startsWith("outbound|"));
    if (wanted.length + gone.length > 0)
      stream.send({ typeUrl: ENDPOINTS, resourceNamesSubscribe: wanted, resourceNamesUnsubscribe: gone });
  }
}
