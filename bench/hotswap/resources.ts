// What the live Envoy of the swaps is served: one listener whose filter comes by ECDS, as the mesh delivers a WasmPlugin.
import { buildWasmExtension, buildWasmPlace } from "../../controlplane/translate/emit/wasm-filter.ts";
import { emptyResources, type EnvoyResources } from "../../controlplane/translate/emit/resources.ts";
import type { WasmFilter } from "../../controlplane/translate/ir/filters.ts";
import { createHash } from "node:crypto";
import { packAny } from "../../protos/codec.ts";

export const LISTENER = "swapped";
const NAME = "extensions.istio.io/wasmplugin/default.version";

/** Returns the resources with the given version of the plugin: other bytes and another configuration for each. */
export function resourcesOf(module: Uint8Array, version: string): EnvoyResources {
  const filter = pluginOf(module, version);
  const resources = emptyResources();
  const manager = packAny("HttpConnectionManager", {
    statPrefix: "bench",
    generateRequestId: false,
    routeConfig: { name: "bench", virtualHosts: [{ name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, directResponse: { status: 200, body: { inlineString: "ok" } } }] }] },
    httpFilters: [buildWasmPlace(filter), { name: "envoy.filters.http.router", typedConfig: packAny("Router", {}) }],
  });
  resources.listeners.set(LISTENER, {
    name: LISTENER,
    address: { socketAddress: { address: "127.0.0.1", portValue: 0 } },
    filterChains: [{ filters: [{ name: "envoy.filters.network.http_connection_manager", typedConfig: manager }] }],
  });
  resources.extensionConfigs.set(NAME, buildWasmExtension(filter));
  return resources;
}

function pluginOf(module: Uint8Array, version: string): WasmFilter {
  const bytes = withSection(module, version);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return { name: NAME, rootId: "", vmId: "", configuration: version, environment: {}, hostEnvironment: [], failureMode: "closed", module: { kind: "module", module: { bytes, sha256 } } };
}

/** The module with one more custom section: the same code, and yet another module to everyone who loads it. */
function withSection(module: Uint8Array, text: string): Uint8Array {
  const name = [5, ...Buffer.from("bench")];
  const content = [...name, ...Buffer.from(text)];
  return Buffer.concat([module, Buffer.from([0, content.length, ...content])]);
}
