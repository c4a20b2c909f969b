// Which WasmPlugins stand in a proxy's filter chain, where, and in which order.
import type { TrafficSelectorSpec, WasmPluginSpec } from "../../model/kinds/wasm-plugin.ts";
import { compareByAge, type MeshObject } from "../../model/object.ts";
import type { PluginSettings, PluginVersion } from "../../model/plugin.ts";
import type { FailureMode, PluginSlots, WasmFilter } from "../ir/filters.ts";
import type { ProxyClass } from "../ir/proxy-class.ts";
import { type Inputs, pluginState } from "./modules.ts";
import { selectPolicies, type SelectedProxy } from "./workload-selector.ts";

/** The side of a proxy on which a filter chain stands. */
export type ChainDirection = "inbound" | "outbound" | "gateway";

/** Where a chain stands. `port` is the workload's or the gateway's; undefined where one listener is for all ports. */
export interface ChainPlace {
  readonly direction: ChainDirection;
  readonly port?: number | undefined;
}

/** What a plugin sees: requests, or the bytes of connections. */
type PluginType = "HTTP" | "NETWORK";

type SelectedClass = Pick<ProxyClass, "namespace" | "labels" | "only">;

/**
 * Returns the plugins of one chain of requests by phase, each phase in order: higher priority first (0 unless given), then the
 * proxy's namespace before the root one, then age and name. A plugin without traffic selectors stands in every chain of
 * its workloads, inbound and outbound, as in Istio
 * (https://istio.io/latest/docs/reference/config/proxy_extensions/wasm-plugin/).
 */
export function resolvePlugins(inputs: Inputs, proxy: SelectedClass, place: ChainPlace): PluginSlots {
  return slotsOf("HTTP", inputs, proxy, place);
}

/** Returns the plugins of one chain of connections in the same way, those of HTTP too; undefined: there are none. */
export function resolveNetworkPlugins(
  inputs: Inputs,
  proxy: SelectedClass,
  place: ChainPlace,
): PluginSlots | undefined {
  const slots = slotsOf("NETWORK", inputs, proxy, place);
  return Object.values(slots).every((plugins) => plugins.length === 0) ? undefined : slots;
}

/** Returns what to say of plugins that see nothing of what programs send that know of their sidecar. */
export function resolveNetworkPluginNotes({ world }: Inputs, proxy: ProxyClass): readonly string[] {
  return selectPolicies(world, "WasmPlugin", proxy)
    .filter(({ spec }) => typeOf(spec) === "NETWORK" && standsAt(spec.match, { direction: "outbound" }))
    .map(({ metadata: { namespace, name } }) => `WasmPlugin ${namespace}/${name} of type NETWORK sees what comes in`)
    .map((sees) => `${sees}; what goes out only where connections are captured`)
    .sort();
}

/** Returns the ports at which something else may stand than at others on the way out, ascending. */
export function portsOfPlugins({ world }: Inputs, proxy: SelectedProxy): readonly number[] {
  const selectors = selectPolicies(world, "WasmPlugin", proxy).flatMap(({ spec }) => spec.match ?? []);
  const ports = selectors.filter(({ mode }) => mode !== "SERVER").flatMap((selector) => selector.ports ?? []);
  return [...new Set(ports.map(({ number }) => number))].sort((a, b) => a - b);
}

function slotsOf(type: PluginType, inputs: Inputs, proxy: SelectedClass, place: ChainPlace): PluginSlots {
  const plugins = selectPolicies(inputs.world, "WasmPlugin", proxy)
    .filter(({ spec }) => typeOf(spec) === type && standsAt(spec.match, place))
    .sort((a, b) => comparePlugins(a, b, proxy.namespace));
  const slot = (...phases: readonly WasmPluginSpec["phase"][]) =>
    plugins
      .filter((plugin) => phases.includes(plugin.spec.phase))
      .flatMap((plugin) => pluginFilter(inputs, plugin, proxy.only));
  return {
    pluginsAuthn: slot("AUTHN"),
    pluginsAuthz: slot("AUTHZ"),
    pluginsStats: slot("STATS"),
    pluginsUnspecified: slot(undefined, "UNSPECIFIED_PHASE"),
  };
}

/** One selector that matches is enough. A gateway is the client of what it forwards. */
function standsAt(selectors: readonly TrafficSelectorSpec[] | undefined, { direction, port }: ChainPlace): boolean {
  if (selectors === undefined || selectors.length === 0) return true;
  const other = direction === "inbound" ? "CLIENT" : "SERVER";
  return selectors.some(
    ({ mode, ports }) => mode !== other && (ports === undefined || ports.some(({ number }) => number === port)),
  );
}

function typeOf({ type }: Pick<WasmPluginSpec, "type">): PluginType {
  return type === "NETWORK" ? "NETWORK" : "HTTP";
}

/** The resource name of a plugin's configuration, e.g. `extensions.istio.io/wasmplugin/default.add-header`. */
function filterName({ metadata: { namespace, name }, spec }: MeshObject<"WasmPlugin">): string {
  const ofRequests = `${PLUGIN_FILTERS}${namespace}.${name}`;
  // A place takes one type: where a plugin becomes one of the other, its old places must not be given it.
  return typeOf(spec) === "NETWORK" ? `${ofRequests}${OF_CONNECTIONS}` : ofRequests;
}

/** Returns whether a resource of this name is this plugin's configuration. */
export function isFilterOf(resource: string, namespace: string, name: string): boolean {
  const ofRequests = `${PLUGIN_FILTERS}${namespace}.${name}`;
  return resource === ofRequests || resource === `${ofRequests}${OF_CONNECTIONS}`;
}

const PLUGIN_FILTERS = "extensions.istio.io/wasmplugin/";
const OF_CONNECTIONS = "/network";

/** Whether a resource of this name is a plugin's configuration. */
export function isPluginFilter(name: string): boolean {
  return name.startsWith(PLUGIN_FILTERS);
}

function comparePlugins(a: MeshObject<"WasmPlugin">, b: MeshObject<"WasmPlugin">, proxyNamespace: string): number {
  const foreign = (plugin: MeshObject) => (plugin.metadata.namespace === proxyNamespace ? 0 : 1);
  return (b.spec.priority ?? 0) - (a.spec.priority ?? 0) || foreign(a) - foreign(b) || compareByAge(a, b);
}

/** A plugin that is still on its way leaves the chain as it was. */
function pluginFilter(
  inputs: Inputs,
  plugin: MeshObject<"WasmPlugin">,
  only: string | undefined,
): readonly WasmFilter[] {
  const { name, namespace } = plugin.metadata;
  const state = pluginState(inputs, namespace, name, only);
  if (state.kind === "pending") return [];
  const common = {
    name: filterName(plugin),
    vmId: `${namespace}.${name}`,
    failureMode: failureModeOf(plugin.spec.failStrategy),
    ...(typeOf(plugin.spec) === "NETWORK" ? { network: true as const } : { mayBeSplit: true }),
  };
  const versionFilter = ({ module, settings }: PluginVersion): WasmFilter => ({
    ...common,
    module: { kind: "module", module },
    ...settings,
  });
  switch (state.kind) {
    case "module":
      return [versionFilter(state)];
    case "split":
      return [
        {
          ...common,
          ...noSettings,
          module: {
            kind: "split",
            percent: state.percent,
            seed: seedOf(common.name),
            first: versionFilter(state.first),
            rest: versionFilter(state.rest),
          },
        },
      ];
    case "unavailable":
      return [{ ...common, ...noSettings, module: state }];
  }
}

/** Plugins split their requests independently of one another. */
function seedOf(name: string): number {
  return [...name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 2_147_483_647, 7);
}

const noSettings: PluginSettings = { configuration: "", rootId: "", environment: {}, hostEnvironment: [] };

function failureModeOf(strategy: string | undefined): FailureMode {
  if (strategy === "FAIL_OPEN") return "open";
  return strategy === "FAIL_RELOAD" ? "reload" : "closed";
}
