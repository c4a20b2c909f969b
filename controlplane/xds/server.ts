// consumes: encoded resources per class (by callback), secrets per proxy (by callback), bearer tokens
// produces: xDS for proxies (delta and state of the world, aggregated and by type) over TLS 1.3, and in plaintext on
// loopback where asked to; the status of every proxy
// never does: translate, read configuration files, or believe on the secure port what a node says about itself
import { status as grpcStatus } from "@grpc/grpc-js";
import { failed } from "../model/failure.ts";
import type { ResourceKind } from "../snapshot/resources.ts";
import type { ResourceShortName } from "../snapshot/type-urls.ts";
import { createGrpcServer } from "./grpc/grpc-server.ts";
import { createDoor, plaintextCalls, provenCalls } from "./grpc/incoming-calls.ts";
import { serveStream } from "./grpc/live-stream.ts";
import { openPlaintextPort, openSecurePort, type Port, type ServerCertificate } from "./grpc/ports.ts";
import { createProofs } from "./grpc/proofs.ts";
import { NO_OBSERVER } from "./observer.ts";
import { PLUGIN_RISK } from "./rejections/canary.ts";
import type { RefusedForClass } from "./rejections/judgement.ts";
import { DEFAULT_LIMITS, type XdsLimits, type XdsServerOptions } from "./server-options.ts";
import type { ConnectedProxy, Progress } from "./status/connected-proxy.ts";
import type { HeldOfType } from "./status/held.ts";
import type { ResourceReach } from "./status/resource-reach.ts";
import type { Answer } from "./stream.ts";
import { createStreamSet, type StreamSet, type StreamSetOptions } from "./stream-set.ts";

export type { ServerCertificate } from "./grpc/ports.ts";
export type { XdsLimits, XdsServerOptions } from "./server-options.ts";
export type { ConnectedProxy } from "./status/connected-proxy.ts";
export type { HeldOfType } from "./status/held.ts";
export type { ResourceReach } from "./status/resource-reach.ts";
export type { Answer } from "./stream.ts";

export interface XdsServer {
  /** The address of the secure port; valid after `listen`. */
  readonly address: () => { readonly host: string; readonly port: number };
  /** The address of the plaintext port; undefined when there is none. */
  readonly plaintextAddress: () => { readonly host: string; readonly port: number } | undefined;
  /** Opens the ports; rejects when one cannot be had. */
  listen(): Promise<void>;
  /** Content or secrets may have changed: every stream is asked about again, in slices, and told what differs. */
  notify(): void;
  /** Every proxy with an open stream; where one has several, its newest. */
  status(): ConnectedProxy[];
  progress(): Progress;
  /** By type, what a proxy watches and holds; undefined for one that is not connected. */
  held(nodeId: string): Partial<Record<ResourceShortName, HeldOfType>> | undefined;
  /** Whom the content under a name has reached, who waits for it, who rejected it and why. */
  reach(kind: ResourceKind, name: string): ResourceReach;
  /** No Envoy loads these: nobody is sent them, but the content before. What a proxy has is its own affair. */
  refuse(contents: readonly RefusedForClass[]): void;
  /** What made this content bad may be another now, as a file that it names: it is sent again when it is due. */
  forgetRefusal(version: string): void;
  /** Serves new connections with another certificate. */
  setCertificate(certificate: ServerCertificate): void;
  /** Ends all streams and the listeners. */
  close(): Promise<void>;
}

/** A server that is not listening yet. */
export function createXdsServer(options: XdsServerOptions): XdsServer {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const streams = createStreams(options, limits);
  const open = createDoor(options, limits, (call, kind, caller) => {
    const stream = serveStream(call, kind, caller, streams.host);
    streams.add(stream);
    return stream;
  });
  const { secure: proven, plaintext: anybody, log } = options;
  const secure =
    proven &&
    openSecurePort(proven, (credentials) =>
      createGrpcServer(limits, credentials, provenCalls(open, createProofs(proven.authenticate, limits, log))),
    );
  const plaintext =
    anybody && openPlaintextPort(anybody, (credentials) => createGrpcServer(limits, credentials, plaintextCalls(open)));
  const ports = [secure, plaintext].filter((port): port is Port => port !== undefined);
  return {
    address: () => secure?.address() ?? { host: "", port: 0 },
    plaintextAddress: () => plaintext?.address(),
    listen: async () => {
      for (const port of ports) await port.listen();
    },
    notify: streams.notify,
    status: streams.status,
    progress: streams.progress,
    held: streams.held,
    reach: streams.reach,
    refuse: streams.refuse,
    forgetRefusal: streams.forgetRefusal,
    setCertificate: (certificate) => secure?.setCertificate(certificate),
    async close() {
      streams.endAll(grpcStatus.UNAVAILABLE, "the control plane is stopping");
      await Promise.all(ports.map((port) => port.close()));
    },
  };
}

function createStreams(options: XdsServerOptions, limits: XdsLimits): StreamSet {
  const { resourcesFor, encoder, clock, log } = options;
  return createStreamSet({
    source: {
      resourcesFor,
      secretsFor: options.secretsFor ?? (() => new Map()),
      encoder,
      revision: options.revision ?? (() => 0),
    },
    clock,
    log,
    stallMs: limits.stallMs,
    budgetBytes: limits.bytesUnderWay,
    canaryMs: limits.canaryMs,
    judgementMs: limits.judgementMs,
    offerAgainMs: limits.offerAgainMs,
    controlPlane: options.controlPlane ?? "scrim",
    risk: options.risk ?? PLUGIN_RISK,
    observer: options.observer ?? NO_OBSERVER,
    // Where there is a port for the proven, the word of the others counts for themselves only.
    believes: (proxy) => proxy !== undefined && (proxy.isProven || options.secure === undefined),
    ...(options.heldBack && { heldBack: options.heldBack }),
    ...callbacksOf(options),
  });
}

/** The callbacks that others answer, of which none rejects: one that throws has found out nothing. */
function callbacksOf({
  examine,
  judge,
  debugResources,
  log,
}: XdsServerOptions): Pick<StreamSetOptions, "examine" | "judge" | "answer"> {
  const orElse = async <T>(ask: () => Promise<T>, otherwise: T, problem: string): Promise<T> => {
    try {
      return await ask();
    } catch (error) {
      log.error({ err: error }, problem);
      return otherwise;
    }
  };
  return {
    examine: (resources, reason) =>
      orElse(async () => (await examine?.(resources, reason)) ?? [], [], "rejected contents could not be examined"),
    judge: (resource, good, asker) =>
      orElse(async () => judge?.(resource, good, asker), undefined, "a rejected content could not be judged"),
    answer: (typeUrl, names, asker) =>
      orElse<Answer>(
        async () => (await debugResources?.(typeUrl, names, asker)) ?? { kind: "answer", resources: [] },
        failed("internal", "internal error"),
        "a question about the control plane could not be answered",
      ),
  };
}
