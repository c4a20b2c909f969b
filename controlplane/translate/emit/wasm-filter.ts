// One configured Wasm module: its place in a filter chain, and what is delivered to that place.
import type { WasmModule } from "../../model/wasm-module.ts";
import type { FailurePolicy, HttpFilter, TypedExtensionConfig, VmConfig } from "../../../protos/build/envoy.ts";
import { packAny, typeUrlOf } from "../../../protos/codec.ts";
import type { FailureMode, FilterModule, WasmFilter } from "../ir/filters.ts";
import { adsSource } from "./config-source.ts";
import { buildNativeGuard } from "./native-guard.ts";

const failurePolicies: Readonly<Record<FailureMode, FailurePolicy>> = {
  open: "FAIL_OPEN",
  closed: "FAIL_CLOSED",
  reload: "FAIL_RELOAD",
};

/**
 * Returns the place in a chain: the filter under its resource name, delivered apart (ECDS), so that a new module or
 * configuration leaves the listener alone.
 */
export function buildWasmPlace(filter: WasmFilter): HttpFilter {
  return {
    name: filter.name,
    configDiscovery: { configSource: adsSource(), typeUrls: typesOf(filter).map(typeUrlOf) },
  };
}

/** What may be delivered: the place stays the same whatever there is to do. */
function typesOf({
  module,
  network,
  mayBeSplit,
}: WasmFilter): readonly (
  | "Wasm"
  | "HttpRbac"
  | "LocalRateLimit"
  | "NetworkWasm"
  | "NetworkRbac"
  | "ExtensionWithMatcher"
  | "Composite"
)[] {
  if (network === true) return ["NetworkWasm", "NetworkRbac"];
  if (module.kind !== "native")
    return mayBeSplit === true ? ["Wasm", "HttpRbac", "ExtensionWithMatcher", "Composite"] : ["Wasm", "HttpRbac"];
  return module.guard.kind === "rateLimit" ? ["LocalRateLimit", "HttpRbac"] : ["HttpRbac"];
}

/** Returns what is delivered to a filter's place: the module with its configuration, or what stands in for it. */
export function buildWasmExtension(filter: WasmFilter): TypedExtensionConfig {
  const { name, module, failureMode } = filter;
  switch (module.kind) {
    case "module":
      return { name, typedConfig: wasmConfig(filter, module.module) };
    case "split":
      return { name, typedConfig: splitRequests(module) };
    case "idle":
      return { name, typedConfig: filter.network === true ? letConnect : letPass };
    case "native":
      return { name, typedConfig: buildNativeGuard(module.guard) };
    // Envoy refuses a module that does not load even where it may fail open.
    case "unavailable":
      return {
        name,
        typedConfig:
          filter.network === true
            ? failureMode === "open"
              ? letConnect
              : refuseConnection
            : failureMode === "open"
              ? letPass
              : refuse,
      };
  }
}

/**
 * Envoy's composite filter takes one filter or the other for each request, by a hash of its id: retries and hops of one
 * request agree.
 * https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/composite_filter
 */
function splitRequests({
  percent,
  seed,
  first,
  rest,
}: Extract<FilterModule, { kind: "split" }>): TypedExtensionConfig["typedConfig"] {
  const take = (filter: WasmFilter) => ({
    action: { name: "take", typedConfig: packAny("ExecuteFilterAction", { typedConfig: buildWasmExtension(filter) }) },
  });
  const input = {
    name: "request-id",
    typedConfig: packAny("HttpRequestHeaderMatchInput", { headerName: "x-request-id" }),
  };
  const fraction = packAny("RuntimeFraction", { runtimeFraction: { defaultValue: { numerator: percent } }, seed });
  return packAny("ExtensionWithMatcher", {
    extensionConfig: { name: "composite", typedConfig: packAny("Composite", {}) },
    xdsMatcher: {
      matcherList: {
        matchers: [
          {
            predicate: { singlePredicate: { input, customMatch: { name: "fraction", typedConfig: fraction } } },
            onMatch: take(first),
          },
        ],
      },
      onNoMatch: take(rest),
    },
  });
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
  return packAny(filter.network === true ? "NetworkWasm" : "Wasm", {
    config: {
      name: filter.name,
      ...(filter.rootId !== "" && { rootId: filter.rootId }),
      vmConfig,
      // Of all types only a StringValue (or BytesValue) reaches the module unwrapped.
      ...(filter.configuration !== "" && { configuration: packAny("StringValue", filter.configuration) }),
      ...(filter.allowOnHeadersStopIteration === true && { allowOnHeadersStopIteration: true }),
      failurePolicy: failurePolicies[filter.failureMode],
      ...(filter.capabilities !== undefined && {
        capabilityRestrictionConfig: {
          allowedCapabilities: Object.fromEntries(filter.capabilities.map((name) => [name, {}])),
        },
      }),
      ...(filter.failureMode === "reload" && {
        reloadConfig: { backoff: { baseInterval: { seconds: 1 }, maxInterval: { seconds: 10 } } },
      }),
    },
  });
}

/** RBAC without rules looks at nothing. */
const letPass = packAny("HttpRbac", {});
const letConnect = packAny("NetworkRbac", { statPrefix: "idle" });
/** RBAC in which no policy allows anything. */
const refuse = packAny("HttpRbac", { rules: { action: "ALLOW", policies: {} } });
const refuseConnection = packAny("NetworkRbac", {
  statPrefix: "unavailable",
  rules: { action: "ALLOW", policies: {} },
});
