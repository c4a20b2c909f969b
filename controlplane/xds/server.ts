// consumes: encoded resources per class (by callback), secrets per proxy (by callback), bearer tokens
// produces: xDS for proxies (delta and state of the world, aggregated and by type) over TLS 1.3, and in plaintext on
// loopback where asked to; the status of every proxy
// never does: translate, read configuration files, or believe on the secure port what a node says about itself
import { Server, type ServerCredentials, status as grpcStatus, type UntypedHandleCall } from "@grpc/grpc-js";
import type { Secret } from "../../protos/build/envoy.ts";
import type { EncodedResource, EncodedResources, ResourceEncoder } from "../snapshot/encode.ts";
import type { ResourceKind } from "../snapshot/resources.ts";
import type { ResourceShortName } from "../snapshot/type-urls.ts";
import { type Admission, createAdmission } from "./admission.ts";
import { type CallGuard, createCallGuard } from "./call-limits.ts";
import type { HeldOfType, ResourceReach } from "./distribution.ts";
import type { Authenticate } from "./identities.ts";
import {
  type Admission as NodeAdmission,
  admitNode,
  describeNode,
  isModestNode,
  type Proxy,
  type ProxyIdentity,
} from "./node.ts";
import { NO_OBSERVER, type XdsObserver } from "./observer.ts";
import {
  type PlaintextPort,
  type Port,
  openPlaintextPort,
  openSecurePort,
  type SecurePort,
  type ServerCertificate,
} from "./ports.ts";
import { discoveryMethods, serviceDefinition } from "./services.ts";
import type { StreamKind } from "./stream-events.ts";
import { type Answer, type Call, type Caller, serveStream, type XdsStream } from "./stream.ts";
import { withoutCopies } from "./uncopied-calls.ts";
import { createStreamSet, type ProxyStatus, type StreamSet } from "./stream-set.ts";
import { PLUGIN_RISK, type Risk } from "./trials.ts";

export type { HeldOfType, ResourceReach } from "./distribution.ts";
export type { ServerCertificate } from "./ports.ts";
export type { Answer } from "./stream.ts";
export type { ProxyStatus } from "./stream-set.ts";

export interface XdsServerOptions {
  /** Where proxies prove who they are; left out, there is no such port. */
  readonly secure?: SecurePort & { readonly authenticate: Authenticate };
  /**
   * On loopback, for whoever can reach it: no secrets, and a proxy is who its node says. Left out, there is no such
   * port.
   */
  readonly plaintext?: PlaintextPort;
  /**
   * What a proxy is served; the same object as before where nothing changed for its class. Undefined while the sources
   * have not synced or the mesh does not know the proxy: it then keeps what it has.
   */
  readonly resourcesFor: (proxy: Proxy) => EncodedResources | undefined;
  /**
   * The secrets this proxy may have, and no others: those of its identity and, for a gateway, its credentials. Asked
   * only for proxies that proved who they are.
   */
  readonly secretsFor?: (proxy: Proxy) => ReadonlyMap<string, Secret>;
  /** The state of the mesh that content is made from at present (World.revision), for the status. */
  readonly revision?: () => number;
  /**
   * Answers the `istio.io/…` types with which istioctl asks about the control plane; the bytes are an Any's. Access
   * control is its own affair.
   */
  readonly debugResources?: (
    typeUrl: string,
    names: readonly string[],
    asker: ProxyIdentity | undefined,
  ) => Answer | Promise<Answer>;
  /**
   * Finds which of these contents a proxy cannot load, where its rejection named none. Left out or without result, they
   * are tried on the proxy in ever smaller parts.
   */
  readonly examine?: (resources: readonly EncodedResource[], reason: string) => Promise<readonly EncodedResource[]>;
  /**
   * Whether an Envoy that serves nobody loads a content that one proxy rejected (and `good`, which was accepted before
   * it, to know that it can tell); undefined when it cannot. Left out, one proxy's rejection is its own until a second
   * one repeats it. `asker` is the pod that rejected it.
   */
  readonly judge?: (
    resource: EncodedResource,
    good: EncodedResource | undefined,
    asker: string,
  ) => Promise<boolean | undefined>;
  /** What is tried on one proxy before the others get it. */
  readonly risk?: Risk;
  /** Said of ourselves in every response (control_plane.identifier). */
  readonly controlPlane?: string;
  readonly encoder: ResourceEncoder;
  readonly clock: { nowMs(): number; monotonicMs(): number };
  readonly log: Record<"info" | "warn" | "error", (fields: object, message: string) => void>;
  readonly observer?: XdsObserver;
  readonly limits?: Partial<XdsLimits>;
}

export interface XdsLimits {
  readonly streamsPerSecond: number;
  readonly streamBurst: number;
  /** Open streams of one pod, or of one connection on the plaintext port. */
  readonly streamsPerOrigin: number;
  /**
   * How often a connection is asked whether it is still there, and for how long an answer is waited for: a machine that
   * vanished says no goodbye.
   */
  readonly keepaliveMs: number;
  readonly keepaliveTimeoutMs: number;
  /** A proxy that does not read for so long is dropped; its pending changes are one merged set all the while. */
  readonly stallMs: number;
  /** Give or take a tenth, so that proxies that came together do not come back together (grpc-js does so by itself). */
  readonly maxConnectionAgeMs: number;
  readonly maxConnectionAgeGraceMs: number;
  /** Bytes on their way to all clients together; what is above waits in the content, which all share. */
  readonly bytesUnderWay: number;
  /** How long a risky content is tried on one proxy before the others get it without its word. */
  readonly trialMs: number;
  /** How long a content that one proxy rejected is kept from the others while nobody has said whether it loads. */
  readonly judgementMs: number;
}

const DEFAULT_LIMITS: XdsLimits = {
  streamsPerSecond: 200,
  streamBurst: 200,
  streamsPerOrigin: 5_000,
  keepaliveMs: 30_000,
  keepaliveTimeoutMs: 10_000,
  stallMs: 30_000,
  maxConnectionAgeMs: 30 * 60_000,
  maxConnectionAgeGraceMs: 5_000,
  bytesUnderWay: 32 * 1024 * 1024,
  trialMs: 100,
  judgementMs: 5_000,
};
const MAX_REQUEST_BYTES = 16 * 1024 * 1024;

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
  status(): ProxyStatus[];
  /** By type, what a proxy watches and holds; undefined for one that is not connected. */
  held(nodeId: string): Partial<Record<ResourceShortName, HeldOfType>> | undefined;
  /** Whom the content under a name has reached, who waits for it, who rejected it and why. */
  reach(kind: ResourceKind, name: string): ResourceReach;
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
  const secure =
    options.secure &&
    openSecurePort(options.secure, (credentials) =>
      createInjector(limits, credentials, (call, kind) => {
        const identity = identityOf(call, options.secure!.authenticate);
        if (identity !== undefined)
          return open(
            call,
            kind,
            { identity, admit: (node) => admitNode(identity, node), without: [] },
            `${identity.namespace}/${identity.pod}`,
          );
        options.log.warn({ peer: call.getPeer() }, "refused an xDS stream without a valid token");
        call.emit("error", { code: grpcStatus.UNAUTHENTICATED, details: "a valid token is needed" });
      }),
    );
  const plaintext =
    options.plaintext &&
    openPlaintextPort(options.plaintext, (credentials) =>
      createInjector(limits, credentials, (call, kind) =>
        open(
          call,
          kind,
          {
            identity: undefined,
            admit: (node) => ({ kind: "admitted", proxy: describeNode(node) }),
            without: ["secrets"],
          },
          call.getPeer(),
        ),
      ),
    );
  const ports = [secure, plaintext].filter((port): port is Port => port !== undefined);
  return {
    address: () => secure?.address() ?? { host: "", port: 0 },
    plaintextAddress: () => plaintext?.address(),
    listen: async () => {
      for (const port of ports) await port.listen();
    },
    notify: streams.notify,
    status: streams.status,
    held: streams.held,
    reach: streams.reach,
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
    trialMs: limits.trialMs,
    judgementMs: limits.judgementMs,
    controlPlane: options.controlPlane ?? "scrim",
    risk: options.risk ?? PLUGIN_RISK,
    observer: options.observer ?? NO_OBSERVER,
    // Where there is a port for the proven, the word of the others counts for themselves only.
    believes: (proxy) => proxy !== undefined && (proxy.isProven || options.secure === undefined),
    async examine(resources, reason) {
      try {
        return (await options.examine?.(resources, reason)) ?? [];
      } catch (error) {
        log.error({ err: error }, "rejected contents could not be examined");
        return [];
      }
    },
    async judge(resource, good, asker) {
      try {
        return await options.judge?.(resource, good, asker);
      } catch (error) {
        log.error({ err: error }, "a rejected content could not be judged");
        return undefined;
      }
    },
    async answer(typeUrl, names, asker) {
      try {
        return (await options.debugResources?.(typeUrl, names, asker)) ?? { kind: "answer", resources: [] };
      } catch (error) {
        log.error({ err: error }, "a question about the control plane could not be answered");
        return { kind: "refused", code: grpcStatus.INTERNAL, message: "internal error" };
      }
    },
  });
}

/** The identity that a call's bearer token proves. */
function identityOf(call: Call, authenticate: Authenticate): ProxyIdentity | undefined {
  const [header] = call.metadata.get("authorization");
  const token = typeof header === "string" && /^bearer /i.test(header) ? header.slice(7).trim() : "";
  return token === "" ? undefined : authenticate(token);
}

const TOO_LONG: NodeAdmission = { kind: "refused", reason: "the node's metadata are too long" };

type Open = (call: Call, kind: StreamKind, caller: Caller, from: string) => void;

/** Lets calls in: what comes too fast waits, unread, and `from` (a pod, or a connection) has only its share. */
function createDoor(
  { clock }: XdsServerOptions,
  limits: XdsLimits,
  serve: (call: Call, kind: StreamKind, caller: Caller) => XdsStream,
): Open {
  const nowMs = (): number => clock.monotonicMs();
  const admission: Admission = createAdmission({
    perSecond: limits.streamsPerSecond,
    burst: limits.streamBurst,
    nowMs,
    setTimer: (callback, ms) => void setTimeout(callback, ms),
  });
  const guard: CallGuard = createCallGuard({
    streamsPerOrigin: limits.streamsPerOrigin,
    silenceMs: limits.stallMs,
    nowMs,
  });
  return (call, kind, caller, from) => {
    if (!guard.enter(call, from))
      return void call.emit("error", { code: grpcStatus.RESOURCE_EXHAUSTED, details: "too many streams" });
    const begin = (): void => {
      let stream: XdsStream | undefined;
      const silent = (): void => stream?.end(grpcStatus.DEADLINE_EXCEEDED, "nothing was asked for");
      guard.watch(
        call,
        from,
        silent,
        () =>
          (stream = serve(call, kind, {
            ...caller,
            admit: (node) => (isModestNode(node) ? caller.admit(node) : TOO_LONG),
          })),
      );
    };
    admission({ from, begin, isGone: () => call.cancelled });
  };
}

/** A gRPC server of all methods, without a port of its own. */
function createInjector(
  limits: XdsLimits,
  credentials: ServerCredentials,
  handle: (call: Call, kind: StreamKind) => void,
) {
  const server = new Server({
    "grpc.keepalive_time_ms": limits.keepaliveMs,
    "grpc.keepalive_timeout_ms": limits.keepaliveTimeoutMs,
    "grpc.max_connection_age_ms": limits.maxConnectionAgeMs,
    "grpc.max_connection_age_grace_ms": limits.maxConnectionAgeGraceMs,
    "grpc.max_receive_message_length": MAX_REQUEST_BYTES,
    "grpc.enable_channelz": 0,
    interceptors: [withoutCopies],
  });
  const handlers = discoveryMethods.map(
    ({ name, stream }) => [name, ((call: Call) => handle(call, stream)) as unknown as UntypedHandleCall] as const,
  );
  server.addService(serviceDefinition(), Object.fromEntries(handlers));
  const injector = server.createConnectionInjector(credentials);
  return {
    inject: (socket: Parameters<typeof injector.injectConnection>[0]) => injector.injectConnection(socket),
    shutdown() {
      server.forceShutdown();
      injector.destroy();
    },
  };
}
