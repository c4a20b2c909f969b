// HTTP as every listener of the mesh takes it: one place for what is hardened, per direction.
import type {
  AnyMessage,
  Filter,
  Http1ProtocolOptions,
  HttpConnectionManager,
  HttpConnectionManager_UpgradeConfig,
  CoreHttpProtocolOptions,
  RouteConfiguration,
} from "../../../protos/build/envoy.ts";
import { durationFromMs, joinAny, packAny } from "../../../protos/codec.ts";
import type { HttpFilters } from "../ir/filters.ts";
import type { RequestForm } from "../../model/request-form.ts";
import type { AccessLog } from "../ir/proxy.ts";
import { buildAccessLogs } from "./access-log.ts";
import { adsSource } from "./config-source.ts";
import { buildConnectTargetFilter } from "./connect-target.ts";
import { interned } from "../../world/interned.ts";
import { memoized } from "../../world/memo.ts";
import { buildForwardFilters, explainRefusal } from "./dynamic-forward.ts";
import { buildHttpFilters, routerFilter } from "./http-chain.ts";
import { numberOfFilters } from "./shared-filters.ts";
import { buildWasmPlace } from "./wasm-filter.ts";

/** What differs from listener to listener. */
export interface HttpListening {
  readonly statPrefix: string;
  readonly routes: { readonly rds: string } | { readonly inline: RouteConfiguration };
  readonly filters: HttpFilters;
  readonly direction: "inbound" | "outbound" | "gateway";
  readonly requestForm: RequestForm;
  readonly unknownHosts?: "forward" | "refuse";
  readonly accessLog?: AccessLog | undefined;
  /** CONNECT is taken, and goes where the routes say. */
  readonly connect?: boolean;
  /**
   * Who speaks to us is the client (nobody stands between us who could have said so in X-Forwarded-For). Gateways:
   * true; elsewhere false unless given.
   */
  readonly useRemoteAddress?: boolean;
}

type Hardening = Partial<HttpConnectionManager>;

/** Returns the connection manager of one listener or filter chain as a network filter. */
export function buildHttpConnectionManager(listening: HttpListening): Filter {
  return {
    name: "envoy.filters.network.http_connection_manager",
    typedConfig: joinAny(ownPart(listening.routes, listening.statPrefix), sharedPart(listening)),
  };
}

/** What a listener has for itself. */
const ownPart = interned(
  (routes: HttpListening["routes"]) => routes,
  (routes, statPrefix): AnyMessage =>
    packAny("HttpConnectionManager", {
      // Envoy takes what stands before the first dot for a label of its own.
      statPrefix: statPrefix.replaceAll(".", "_"),
      ...("rds" in routes
        ? { rds: { routeConfigName: routes.rds, configSource: adsSource() } }
        : { routeConfig: routes.inline }),
    }),
);

/**
 * The rest, which is most of it: encoded once for all listeners that have the same filters and settings, whichever
 * proxy's they are.
 */
const sharedPart = interned(
  ({ statPrefix: _name, routes: _routes, filters, ...settings }: HttpListening) => [numberOfFilters(filters), settings],
  (listening): AnyMessage =>
    packAny("HttpConnectionManager", {
      httpFilters: buildHttpFilters(listening),
      accessLog: buildAccessLogs(listening.accessLog, listening.direction === "inbound" ? "server" : "client"),
      ...common,
      ...byNormalization[listening.requestForm.pathNormalization],
      ...byDirection(listening.requestForm)[listening.direction],
      useRemoteAddress: listening.useRemoteAddress ?? listening.direction === "gateway",
      upgradeConfigs: upgradesOf(listening),
      ...(listening.unknownHosts === "forward" && { localReplyConfig: explainRefusal }),
    }),
);

const common: Hardening = {
  stripTrailingHostDot: true,
  maxRequestHeadersKb: 60,
  proxy100Continue: true,
  // As in Istio: how long a stream may idle is for timeouts of routes to say.
  streamIdleTimeout: durationFromMs(0),
  generateRequestId: true,
};

/**
 * What travels is the user's matter: to some applications `//a` and `%2F` are paths of their own. Policies do not lean
 * on it: they read a path in every way in which an application may (filters/authz/README.md).
 * https://istio.io/latest/docs/reference/config/security/normalization/
 */
const byNormalization: Readonly<Record<RequestForm["pathNormalization"], Hardening>> = {
  NONE: { normalizePath: false },
  BASE: { normalizePath: true },
  MERGE_SLASHES: { normalizePath: true, mergeSlashes: true },
  DECODE_AND_MERGE_SLASHES: {
    normalizePath: true,
    mergeSlashes: true,
    pathWithEscapedSlashesAction: "UNESCAPE_AND_FORWARD",
  },
};

/** Programs of a mesh may be old; strangers at its gateways are not waited for. */
const oldHttpToo: Http1ProtocolOptions = { acceptHttp10: true };

const byDirection = memoized(
  (form: RequestForm): Readonly<Record<HttpListening["direction"], Hardening>> => ({
    inbound: {
      commonHttpProtocolOptions: headersOf(form),
      httpProtocolOptions: oldHttpToo,
      http2ProtocolOptions: { maxConcurrentStreams: 1024, allowConnect: true },
      serverName: "scrim",
      serverHeaderTransformation: "PASS_THROUGH",
      // The application learns its peer from the certificate alone: what a peer claims of itself is dropped.
      forwardClientCertDetails: "SANITIZE_SET",
      setCurrentClientCertDetails: { subject: true, dns: true, uri: true },
      preserveExternalRequestId: true,
    },
    outbound: {
      commonHttpProtocolOptions: headersOf(form),
      httpProtocolOptions: oldHttpToo,
      http2ProtocolOptions: { maxConcurrentStreams: 1024, allowConnect: true },
      serverName: "scrim",
      serverHeaderTransformation: "PASS_THROUGH",
      forwardClientCertDetails: "SANITIZE",
      preserveExternalRequestId: true,
    },
    gateway: {
      commonHttpProtocolOptions: { ...headersOf(form), idleTimeout: durationFromMs(3_600_000) },
      // A stranger's connection holds little: few streams, small windows, headers that come in time.
      http2ProtocolOptions: {
        maxConcurrentStreams: 100,
        initialStreamWindowSize: 65_536,
        initialConnectionWindowSize: 1_048_576,
        allowConnect: true,
      },
      requestHeadersTimeout: durationFromMs(10_000),
      serverName: "scrim",
      serverHeaderTransformation: "OVERWRITE",
      // Of a client that showed a certificate, as in Istio; what it says itself is dropped.
      forwardClientCertDetails: "SANITIZE_SET",
      setCurrentClientCertDetails: { subject: true, cert: true, dns: true, uri: true },
    },
  }),
);

function headersOf({ headersWithUnderscoresAction }: RequestForm): CoreHttpProtocolOptions {
  return {
    maxHeadersCount: 100,
    ...(headersWithUnderscoresAction !== "ALLOW" && { headersWithUnderscoresAction }),
  };
}

function upgradesOf(listening: HttpListening): readonly HttpConnectionManager_UpgradeConfig[] {
  const websocket: HttpConnectionManager_UpgradeConfig = { upgradeType: "websocket" };
  if (listening.connect !== true) return [websocket];
  // A tunnel's bytes are no requests: of the mesh's filters only telemetry is there, which counts connections, and the
  // refusal of local addresses.
  const { telemetry } = listening.filters;
  const filters = [
    buildConnectTargetFilter(),
    ...(telemetry ? [buildWasmPlace(telemetry)] : []),
    ...(listening.unknownHosts === "forward" ? buildForwardFilters() : []),
    routerFilter(),
  ];
  return [{ upgradeType: "CONNECT", filters }, websocket];
}
