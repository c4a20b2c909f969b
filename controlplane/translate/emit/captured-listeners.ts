// consumes: a captured way out: ports, filters, what happens to the unknown
// produces: the listeners to which its connections are handed over, by name; the same objects for the same parts
// never does: open a port but the one to which the kernel brings connections
import type { Filter, FilterChain, FilterChainMatch, Listener } from "../../../protos/build/envoy.ts";
import { VIRTUAL_OUTBOUND_PORT } from "../../model/capture-ports.ts";
import type { RequestForm } from "../../model/request-form.ts";
import { interned, internedMaps } from "../../world/interned.ts";
import { memoized } from "../../world/memo.ts";
import type { CapturedOutbound, CapturedPort, CapturedWay, OutboundFilters } from "../ir/captured.ts";
import type { AccessLog } from "../ir/proxy.ts";
import { listeningAt } from "./captured-addresses.ts";
import { buildDnsListener } from "./dns-listener.ts";
import { buildSniForwardFilter } from "./dynamic-forward.ts";
import { buildHttpConnectionManager } from "./http-connection-manager.ts";
import { httpInspector, noHttpInside, plainHttp, tlsInspector, waitForServerFirst } from "./inspectors.ts";
import { BLACK_HOLE_CLUSTER, listenerName, PASSTHROUGH_CLUSTER, upstreamName, VIRTUAL_OUTBOUND } from "./names.ts";
import { byName } from "./resources.ts";
import { withNetworkPlugins } from "./network-plugins.ts";
import { withNumberedFilters } from "./shared-filters.ts";
import { buildTcpProxy } from "./tcp-proxy.ts";
import { buildWasmPlace } from "./wasm-filter.ts";

interface Settings extends Pick<CapturedOutbound, "tcpTelemetry" | "unknownHosts" | "egressProxy"> {
  readonly filters: OutboundFilters;
  readonly requestForm: RequestForm;
  /** How long a silent connection is looked at. */
  readonly detectionTimeoutMs: number;
  readonly accessLog?: AccessLog | undefined;
  /** Any address of the family of the pod's own, and of the other one if it has such an address, too. */
  readonly wildcards: readonly string[];
}

/** Returns the listeners of a class of captured proxies whose pods have addresses of the families of `wildcards`. */
export function capturedListeners(
  { ports, names, filters, tcpTelemetry, unknownHosts, egressProxy }: CapturedOutbound,
  { requestForm, detectionTimeoutMs, accessLog }: Pick<Settings, "requestForm" | "detectionTimeoutMs" | "accessLog">,
  wildcards: readonly string[],
): ReadonlyMap<string, Listener> {
  const seen = [requestForm, detectionTimeoutMs, accessLog] as const;
  const settings = settingsOf(filters, tcpTelemetry, unknownHosts, egressProxy, ...seen, wildcards);
  return listenersOf(ports, settings, buildDnsListener(names, wildcards[0] === "::"));
}

/** Those of each port that has its own; the last are of all others. */
type AllSettings = readonly Settings[];

const settingsOf = memoized(
  (
    filters: CapturedOutbound["filters"],
    tcpTelemetry: Settings["tcpTelemetry"],
    unknownHosts: Settings["unknownHosts"],
    egressProxy: Settings["egressProxy"],
    requestForm: RequestForm,
    detectionTimeoutMs: number,
    accessLog: AccessLog | undefined,
    wildcards: readonly string[],
  ): AllSettings => {
    const shared = {
      tcpTelemetry,
      unknownHosts,
      egressProxy,
      requestForm,
      detectionTimeoutMs,
      accessLog,
      wildcards,
    };
    return filters.map((one) => ({ ...shared, filters: one }));
  },
);

const listenersOf = memoized((ports: readonly CapturedPort[], all: AllSettings, dns: Listener) => {
  const ofPort = (port: number | undefined): Settings =>
    (all.find(({ filters }) => filters.port === port) ?? all.at(-1))!;
  const listeners = ports.map((port) => buildPort(ofPort(port.port), port));
  return oneMap(byName([buildVirtualOutbound(ofPort(undefined)), dns, ...listeners]));
});
const oneMap = internedMaps<Listener>();

/**
 * The listener at which connections arrive. It hands each to the listener of the address that it was meant for; what
 * has none goes on as it was, or nowhere. Connections to this listener itself are nobody's.
 */
const buildVirtualOutbound = memoized(
  (settings: Settings): Listener => ({
    name: VIRTUAL_OUTBOUND,
    ...listeningAt(settings.wildcards, VIRTUAL_OUTBOUND_PORT),
    trafficDirection: "OUTBOUND",
    useOriginalDst: true,
    filterChains: [
      {
        name: "virtualOutbound-blackhole",
        filterChainMatch: { destinationPort: VIRTUAL_OUTBOUND_PORT },
        filters: [buildTcpProxy(BLACK_HOLE_CLUSTER, settings.accessLog)],
      },
      // Nobody looks for HTTP here: all connections would have to wait for what their clients say, and some say nothing.
      { name: "virtualOutbound-catchall-tcp", filters: unknownFilters(settings) },
    ],
  }),
);

/** By its parts the same object, and for equal parts of other classes too. */
const buildPort = memoized((settings: Settings, port: CapturedPort): Listener => onePort({ settings, port }));

const onePort = interned(
  withNumberedFilters,
  ({ settings, port }: { readonly settings: Settings; readonly port: CapturedPort }): Listener => {
    const addresses = port.addresses.length > 0 ? port.addresses : settings.wildcards;
    const name = listenerName({ address: addresses[0] ?? "", port: port.port });
    const rest = port.ways.find((way) => way.subnets.length + way.serverNames.length === 0);
    const others = port.ways.filter((way) => way !== rest);
    return {
      name,
      ...listeningAt(addresses, port.port),
      ...(port.isOpened === true ? { enableReusePort: false } : { bindToPort: false }),
      trafficDirection: "OUTBOUND",
      ...inspection(port, settings.detectionTimeoutMs),
      filterChains: [...httpChains(name, port, settings), ...others.map((way) => tcpChain(settings, way, port.port))],
      // Envoy does not go back from a chain that asks for more to one that asks for less, but to this one.
      defaultFilterChain: rest === undefined ? unknownChain(settings) : tcpChain(settings, rest, port.port),
    };
  },
);

function inspection({ routeTable, ways }: CapturedPort, detectionTimeoutMs: number): Partial<Listener> {
  const looksForHttp = routeTable !== undefined;
  if (!looksForHttp && ways.every(({ serverNames }) => serverNames.length === 0)) return {};
  return {
    listenerFilters: [tlsInspector, ...(looksForHttp ? [httpInspector] : [])],
    ...waitForServerFirst(detectionTimeoutMs),
  };
}

/** Blocks of addresses go before what is spoken: of those that are looked into each has a chain of its own. */
function httpChains(
  listener: string,
  { routeTable, ways, looksUp }: CapturedPort,
  settings: Settings,
): readonly FilterChain[] {
  if (routeTable === undefined) return [];
  const { filters, requestForm, accessLog, unknownHosts } = settings;
  const manager = buildHttpConnectionManager({
    statPrefix: `outbound_${listener}`,
    routes: { rds: routeTable },
    filters: filters.http,
    direction: "outbound",
    unknownHosts: looksUp === true || unknownHosts === "forwardByDns" ? "forward" : "refuse",
    requestForm,
    accessLog,
  });
  const blocks = ways.flatMap(({ isSniffed, subnets }) => (isSniffed ? subnets : []));
  const chain = (name: string, match: FilterChainMatch) => ({
    name,
    filterChainMatch: { ...match, transportProtocol: "raw_buffer", applicationProtocols: plainHttp },
    filters: [...withNetworkPlugins(filters.networkPlugins), manager],
  });
  return [
    chain("http", {}),
    ...(blocks.length === 0 ? [] : [chain("http_by_address", { prefixRanges: [...new Set(blocks)].map(prefixRange) })]),
  ];
}

function tcpChain(settings: Settings, way: CapturedWay, port: number): FilterChain {
  const match = matchOf(way);
  return {
    name: way.targets.map(({ upstream }) => upstreamName(upstream)).join(","),
    ...(match && { filterChainMatch: match }),
    filters: [
      buildWasmPlace(settings.tcpTelemetry),
      ...withNetworkPlugins(settings.filters.networkPlugins),
      ...(way.isLookedUp === true ? [buildSniForwardFilter(port)] : []),
      ...(way.isHttpTarget ? [noHttpInside] : []),
      buildTcpProxy(way.targets, settings.accessLog, way.policy),
    ],
  };
}

function matchOf({ subnets, serverNames }: CapturedWay): FilterChainMatch | undefined {
  if (subnets.length + serverNames.length === 0) return undefined;
  return {
    ...(subnets.length > 0 && { prefixRanges: subnets.map(prefixRange) }),
    ...(serverNames.length > 0 && { serverNames }),
  };
}

function prefixRange(block: string) {
  const [addressPrefix = "", length] = block.split("/");
  return { addressPrefix, prefixLen: length === undefined ? (addressPrefix.includes(":") ? 128 : 32) : Number(length) };
}

function unknownChain(settings: Settings): FilterChain {
  return { name: PASSTHROUGH_CHAIN, filters: unknownFilters(settings) };
}

/** Istio's name of it, whatever the policy. */
const PASSTHROUGH_CHAIN = "PassthroughFilterChain";

function unknownFilters(settings: Settings): readonly Filter[] {
  const { unknownHosts, egressProxy } = settings;
  const onward = egressProxy === undefined ? PASSTHROUGH_CLUSTER : upstreamName(egressProxy);
  const cluster = unknownHosts === "refuse" ? BLACK_HOLE_CLUSTER : onward;
  return [
    buildWasmPlace(settings.tcpTelemetry),
    ...withNetworkPlugins(settings.filters.networkPlugins),
    buildTcpProxy(cluster, settings.accessLog),
  ];
}
