// One configured Wasm module: its place in a filter chain, and what is delivered to that place.
import type { FailurePolicy, HttpFilter, TypedExtensionConfig, VmConfig } from "../../../protos/build/envoy.ts";
import { packAny, typeUrlOf } from "../../../protos/codec.ts";
import type { FailureMode, WasmFilter, WasmModule } from "../ir/filters.ts";
import { adsSource } from "./config-source.ts";
import { buildNativeGuard } from "./native-guard.ts";

const failurePolicies: Readonly<Record<FailureMode, FailurePolicy>> = { open: "FAIL_OPEN", closed: "FAIL_CLOSED", reload: "FAIL_RELOAD" };

/** Returns the place in a chain: the filter under its resource name, delivered apart (ECDS), so that a new module or configuration leaves the listener alone. */
export function buildWasmPlace(filter: WasmFilter): HttpFilter {
  return {
    name: filter.name,
    configDiscovery: { configSource: adsSource(), typeUrls: typesOf(filter).map(typeUrlOf) },
  };
}

/** What may be delivered: the place stays the same whatever there is to do. */
function typesOf({ module }: WasmFilter): readonly ("Wasm" | "HttpRbac" | "LocalRateLimit")[] {
  if (module.kind !== "native") return ["Wasm", "HttpRbac"];
  return module.guard.kind === "rateLimit" ? ["LocalRateLimit", "HttpRbac"] : ["HttpRbac"];
}

/** Returns what is delivered to a filter's place: the module with its configuration, or what stands in for it. */
export function buildWasmExtension(filter: WasmFilter): TypedExtensionConfig {
  const { name, module, failureMode } = filter;
  switch (module.kind) {
    case "module": return { name, typedConfig: wasmConfig(filter, module.module) };
    case "idle": return { name, typedConfig: letPass };
    case "native": return { name, typedConfig: buildNativeGuard(module.guard) };
    // Envoy refuses a module that does not load even where it may fail open.
    case "unavailable": return { name, typedConfig: failureMode === "open" ? letPass : refuse };
  }
}

function wasmConfig(filter: WasmFilter, module: WasmModule): TypedExtensionConfig["typedConfig"] {
  const vmConfig: VmConfig = {
    runtime: "envoy.wasm.runtime.v8",
    vmId: filter.vmId,
    code: { local: { inlineBytes: module.bytes } },
    ...((Object.keys(filter.environment).length > 0 || filter.hostEnvironment.length > 0) && {
      environmentVariables: { keyValues: filter.environment, hostEnvKeys: filter.hostEnvironment },
    }),
  };
  return packAny("Wasm", {
    config: {
      name: filter.name,
      ...(filter.rootId !== "" && { rootId: filter.rootId }),
      vmConfig,
      // Of all types only a StringValue (or BytesValue) reaches the module unwrapped.
      ...(filter.configuration !== "" && { configuration: packAny("StringValue", filter.configuration) }),
      failurePolicy: failurePolicies[filter.failureMode],
      ...(filter.capabilities !== undefined && { capabilityRestrictionConfig: { allowedCapabilities: Object.fromEntries(filter.capabilities.map((name) => [name, {}])) } }),
      ...(filter.failureMode === "reload" && { reloadConfig: { backoff: { baseInterval: { seconds: 1 }, maxInterval: { seconds: 10 } } } }),
    },
  });
}

/** RBAC without rules looks at nothing. */
const letPass = packAny("HttpRbac", {});
/** RBAC in which no policy allows anything. */
const refuse = packAny("HttpRbac", { rules: { action: "ALLOW", policies: {} } });
