// Which WasmPlugins stand in a proxy's filter chain, where, and in which order.
import type { TrafficSelectorSpec, WasmPluginSpec } from "../../model/kinds/wasm-plugin.ts";
import { compareByAge, type MeshObject } from "../../model/object.ts";
import type { PluginSettings, PluginVersion } from "../../model/plugin.ts";
import type { FailureMode, HttpFilters, WasmFilter } from "../ir/filters.ts";
import type { ProxyClass } from "../ir/proxy-class.ts";
import { type Inputs, pluginState } from "./modules.ts";
import { selectPolicies } from "./workload-selector.ts";

/** The side of a proxy on which a filter chain stands. */
export type ChainDirection = "inbound" | "outbound" | "gateway";

export type PluginSlots = Pick<HttpFilters, "pluginsAuthn" | "pluginsAuthz" | "pluginsStats" | "pluginsUnspecified">;

/** Where a chain stands. `port` is the workload's or the gateway's; undefined where one listener is for all ports. */
export interface ChainPlace {
  readonly direction: ChainDirection;
  readonly port?: number | undefined;
}

/**
 * Returns the plugins of one chain by phase, each phase in order: higher priority first (0 unless given), then the
 * proxy's namespace before the root one, then age and name. A plugin without traffic selectors stands in every chain of
 * its workloads, inbound and outbound, as in Istio
 * (https://istio.io/latest/docs/reference/config/proxy_extensions/wasm-plugin/).
 */
export function resolvePlugins(
  inputs: Inputs,
  proxy: Pick<ProxyClass, "namespace" | "labels" | "only">,
  place: ChainPlace,
): PluginSlots {
  const plugins = selectPolicies(inputs.world, "WasmPlugin", proxy)
    .filter((plugin) => standsAt(plugin.spec.match, place))
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

/** Returns the resource name of a plugin's configuration, e.g. `extensions.istio.io/wasmplugin/default.add-header`. */
export function pluginFilterName(namespace: string, name: string): string {
  return `${PLUGIN_FILTERS}${namespace}.${name}`;
}

const PLUGIN_FILTERS = "extensions.istio.io/wasmplugin/";

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
    name: pluginFilterName(namespace, name),
    vmId: `${namespace}.${name}`,
    failureMode: failureModeOf(plugin.spec.failStrategy),
    mayBeSplit: true,
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
