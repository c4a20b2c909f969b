import { describe, expect, it } from "vitest";
import type { HttpFilters, WasmFilter } from "../ir/filters.ts";
import { buildHttpFilters, wasmFiltersOf } from "./http-chain.ts";
import { buildWasmExtension } from "./wasm-filter.ts";
import { unpackAny } from "../../../protos/codec.ts";

const filter = (name: string, changes: Partial<WasmFilter> = {}): WasmFilter => ({
  name, module: { kind: "module", module: { sha256: name, bytes: new Uint8Array([1, 2]) } }, configuration: "{}", vmId: name, rootId: name, environment: {}, hostEnvironment: [], failureMode: "closed", ...changes,
});
const all: HttpFilters = {
  pluginsAuthn: [filter("authn-1"), filter("authn-2")], pluginsAuthz: [filter("plugin-authz")], authorization: filter("authz"), rateLimit: filter("ratelimit"),
  pluginsStats: [filter("stats")], pluginsUnspecified: [filter("plain")], router: filter("router"), telemetry: filter("telemetry"),
};
const names = (direction: "inbound" | "outbound" | "gateway", unknownHosts?: "forward") => buildHttpFilters({ direction, filters: all, ...(unknownHosts && { unknownHosts }) }).map(({ name }) => name);

describe("the order of a chain", () => {
  it("is the mesh's, inbound", () => {
    expect(names("inbound")).toEqual(["telemetry", "authn-1", "authn-2", "plugin-authz", "authz", "ratelimit", "stats", "plain", "router", "envoy.filters.http.router"]);
  });

  it("is the mesh's, outbound", () => {
    expect(names("outbound", "forward")).toEqual([
      "authn-1", "authn-2", "plugin-authz", "authz", "ratelimit", "stats", "plain", "router", "envoy.filters.http.fault", "telemetry",
      "envoy.filters.http.dynamic_forward_proxy", "scrim.refuse_local_addresses", "envoy.filters.http.router",
    ]);
  });

  it("holds no place for what is not there", () => {
    const none: HttpFilters = { pluginsAuthn: [], pluginsAuthz: [], pluginsStats: [], pluginsUnspecified: [] };
    expect(buildHttpFilters({ direction: "inbound", filters: none }).map(({ name }) => name)).toEqual(["envoy.filters.http.router"]);
  });

  it("has a delivery for every Wasm place", () => {
    const places = buildHttpFilters({ direction: "gateway", filters: all }).filter((place) => place.configDiscovery !== undefined).map(({ name }) => name);
    expect(new Set(wasmFiltersOf(all).map(({ name }) => name))).toEqual(new Set(places));
  });
});

describe("what is delivered to a place", () => {
  it("is nothing that does anything while there is nothing to do", () => {
    const { typedConfig } = buildWasmExtension(filter("x", { module: { kind: "idle" } }));
    expect(typedConfig && unpackAny(typedConfig)).toEqual({ name: "HttpRbac", message: {} });
  });

  it("is the module with its configuration", () => {
    const { name, typedConfig } = buildWasmExtension(filter("x", { environment: { A: "1" }, failureMode: "reload" }));
    expect(name).toBe("x");
    expect(typedConfig && unpackAny(typedConfig)).toMatchObject({
      name: "Wasm",
      message: { config: { name: "x", rootId: "x", failurePolicy: "FAIL_RELOAD", vmConfig: { vmId: "x", runtime: "envoy.wasm.runtime.v8", environmentVariables: { keyValues: { A: "1" } } } } },
    });
  });

  it.each([["open", {}], ["closed", { rules: {} }], ["reload", { rules: {} }]] as const)("is a stand-in when the module cannot be had (%s)", (failureMode, message) => {
    const { typedConfig } = buildWasmExtension(filter("x", { failureMode, module: { kind: "unavailable", reason: "404" } }));
    expect(typedConfig && unpackAny(typedConfig)).toEqual({ name: "HttpRbac", message });
  });
});
