// consumes: encoded resources per class (by callback), secrets per proxy (by callback), bearer tokens
// produces: delta ADS for Envoy proxies over TLS 1.3, the status of every proxy
// never does: translate, read configuration files, or believe what a node says about itself
import { type Server as TlsServer, createServer as createTlsServer, type TLSSocket } from "node:tls";
import type { AddressInfo } from "node:net";
import { Server, ServerCredentials, status as grpcStatus } from "@grpc/grpc-js";
import type { Secret } from "../../protos/build/envoy.ts";
import type { EncodedResources, ResourceEncoder } from "../snapshot/encode.ts";
import { createAdmissionRate } from "./admission-rate.ts";
import type { Authenticate } from "./identities.ts";
import type { Proxy } from "./node.ts";
import { type Call, serveStream } from "./stream.ts";
import { createStreamSet, type ProxyStatus, type StreamSet } from "./stream-set.ts";

export type { ProxyStatus } from "./stream-set.ts";

/** PEM texts of the server's certificate chain and key. */
export interface ServerCertificate { readonly certificate: string; readonly key: string }

export interface XdsServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly certificate: ServerCertificate;
  readonly authenticate: Authenticate;
  /**
   * What a proxy is served; the same object as before where nothing changed for its class. Undefined while the sources have not
   * synced or the mesh does not know the proxy: it then keeps what it has.
   */
  readonly resourcesFor: (proxy: Proxy) => EncodedResources | undefined;
  /** The secrets this proxy may have, and no others: those of its identity and, for a gateway, its credentials. */
  readonly secretsFor: (proxy: Proxy) => ReadonlyMap<string, Secret>;
  readonly encoder: ResourceEncoder;
  readonly clock: { nowMs(): number; monotonicMs(): number };
  readonly log: Record<"info" | "warn" | "error", (fields: object, message: string) => void>;
  readonly limits?: Partial<XdsLimits>;
}

export interface XdsLimits {
  readonly streamsPerSecond: number;
  readonly streamBurst: number;
  readonly keepaliveMs: number;
  /** A proxy that does not read for so long is dropped; its pending changes are one merged set all the while. */
  readonly stallMs: number;
  readonly maxConnectionAgeMs: number;
  readonly maxConnectionAgeGraceMs: number;
}

const DEFAULT_LIMITS: XdsLimits = { streamsPerSecond: 200, streamBurst: 200, keepaliveMs: 30_000, stallMs: 30_000, maxConnectionAgeMs: 30 * 60_000, maxConnectionAgeGraceMs: 5_000 };
const MAX_REQUEST_BYTES = 16 * 1024 * 1024;
export interface XdsServer {
  /** The address it listens on; valid after `listen`. */
  readonly address: () => { readonly host: string; readonly port: number };
  /** Opens the port; rejects when it cannot be had. */
  listen(): Promise<void>;
  /** Content or secrets may have changed: every stream is asked about again, in slices, and told what differs. */
  notify(): void;
  /** Every proxy with an open stream; where one has several, its newest. */
  status(): ProxyStatus[];
  /** Serves new connections with another certificate. */
  setCertificate(certificate: ServerCertificate): void;
  /** Ends all streams and the listener. */
  close(): Promise<void>;
}

/** A server that is not listening yet. */
export function createXdsServer(options: XdsServerOptions): XdsServer {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const streams = createStreamSet({ ...options, stallMs: limits.stallMs });
  const grpc = createGrpcServer(limits, (call) => openCall(call, options, streams, admissionDelay));
  const admissionRate = createAdmissionRate(limits.streamsPerSecond, limits.streamBurst);
  const admissionDelay = (): number => admissionRate(options.clock.monotonicMs());
  const injector = grpc.createConnectionInjector(ServerCredentials.createInsecure());
  const sockets = new Set<TLSSocket>();
  const tls = createSecurePort(options.certificate, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    injector.injectConnection(socket);
  });
  return {
    address: () => ({ host: options.host, port: (tls.address() as AddressInfo).port }),
    listen: () => listen(tls, options.port, options.host),
    notify: streams.notify,
    status: streams.status,
    setCertificate: ({ certificate, key }) => tls.setSecureContext({ cert: certificate, key, minVersion: "TLSv1.3" }),
    async close() {
      streams.endAll(grpcStatus.UNAVAILABLE, "the control plane is stopping");
      grpc.forceShutdown();
      injector.destroy();
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => tls.close(() => resolve()));
    },
  };
}

/** TLS ends here and not in grpc-js, which knows neither a minimum version nor a change of certificate. */
function createSecurePort(certificate: ServerCertificate, accept: (socket: TLSSocket) => void): TlsServer {
  const server = createTlsServer({ cert: certificate.certificate, key: certificate.key, minVersion: "TLSv1.3", ALPNProtocols: ["h2"], handshakeTimeout: 10_000 });
  server.on("secureConnection", (socket) => {
    socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    accept(socket);
  });
  return server;
}

function listen(server: TlsServer, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.removeListener("error", reject);
      resolve();
    });
  });
}

function createGrpcServer(limits: XdsLimits, handle: (call: Call) => void): Server {
  const server = new Server({
    "grpc.keepalive_time_ms": limits.keepaliveMs,
    "grpc.keepalive_timeout_ms": 10_000,
    "grpc.max_connection_age_ms": limits.maxConnectionAgeMs,
    "grpc.max_connection_age_grace_ms": limits.maxConnectionAgeGraceMs,
    "grpc.max_receive_message_length": MAX_REQUEST_BYTES,
    "grpc.enable_channelz": 0,
  });
  const asTheyAre = (bytes: Uint8Array): Buffer => bytes as Buffer;
  const method = {
    path: "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
    requestStream: true,
    responseStream: true,
    requestSerialize: asTheyAre,
    requestDeserialize: asTheyAre,
    responseSerialize: asTheyAre,
    responseDeserialize: asTheyAre,
  };
  server.addService({ DeltaAggregatedResources: method }, { DeltaAggregatedResources: handle });
  return server;
}

/** Authenticates before anything is read; what comes too fast waits, unread. */
function openCall(call: Call, options: XdsServerOptions, streams: StreamSet, admissionDelay: () => number): void {
  const [header] = call.metadata.get("authorization");
  const token = typeof header === "string" && /^bearer /i.test(header) ? header.slice(7).trim() : "";
  const identity = token === "" ? undefined : options.authenticate(token);
  if (identity === undefined) {
    options.log.warn({ peer: call.getPeer() }, "refused an xDS stream without a valid token");
    call.emit("error", { code: grpcStatus.UNAUTHENTICATED, details: "a valid token is needed" });
    return;
  }
  const begin = (): void => {
    if (!call.cancelled) streams.add(serveStream(call, identity, streams.host));
  };
  const delayMs = admissionDelay();
  if (delayMs === 0) begin();
  else setTimeout(begin, delayMs);
}
