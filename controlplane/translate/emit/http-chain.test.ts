import { describe, expect, it } from "vitest";
import type { FunctionName } from "../../model/wasm-module.ts";
import type { FunctionFilter, HttpFilters, WasmFilter } from "../ir/filters.ts";
import { buildHttpFilters, wasmFiltersOf } from "./http-chain.ts";
import { buildWasmExtension } from "./wasm-filter.ts";
import { unpackAny } from "../../../protos/codec.ts";

const filter = (name: string, changes: Partial<WasmFilter> = {}): WasmFilter => ({
  name,
  module: { kind: "module", module: { sha256: name, bytes: new Uint8Array([1, 2]) } },
  configuration: "{}",
  vmId: name,
  rootId: name,
  environment: {},
  hostEnvironment: [],
  failureMode: "closed",
  ...changes,
});
const runs = (name: FunctionName, changes: Partial<WasmFilter> = {}): FunctionFilter => ({
  ...filter(name, changes),
  runs: name,
});
const all: HttpFilters = {
  pluginsAuthn: [filter("authn-1"), filter("authn-2")],
  pluginsAuthz: [filter("plugin-authz")],
  authorization: runs("authz"),
  rateLimit: runs("ratelimit"),
  pluginsStats: [filter("stats")],
  pluginsUnspecified: [filter("plain")],
  router: runs("router"),
  telemetry: runs("telemetry"),
};
/** What counts gRPC messages for telemetry stands first in every chain. */
const isNotCounting = (name: string | undefined): boolean => name !== "envoy.filters.http.grpc_stats";
const names = (direction: "inbound" | "outbound" | "gateway", unknownHosts?: "forward") =>
  buildHttpFilters({ direction, filters: all, ...(unknownHosts && { unknownHosts }) })
    .map(({ name }) => name)
    .filter(isNotCounting);

describe("the order of a chain", () => {
  it("is the mesh's, inbound", () => {
    expect(names("inbound")).toEqual([
      "telemetry",
      "authn-1",
      "authn-2",
      "plugin-authz",
      "authz",
      "ratelimit",
      "stats",
      "plain",
      "router",
      "envoy.filters.http.router",
    ]);
  });

  it("is the mesh's, outbound", () => {
    expect(names("outbound", "forward")).toEqual([
      "authn-1",
      "authn-2",
      "plugin-authz",
      "authz",
      "ratelimit",
      "stats",
      "plain",
      "router",
      "envoy.filters.http.fault",
      "envoy.filters.http.cors",
      "telemetry",
      "envoy.filters.http.dynamic_forward_proxy",
      "scrim.refuse_local_addresses",
      "envoy.filters.http.router",
    ]);
  });

  it("counts gRPC messages before anything may answer, where there is telemetry", () => {
    for (const direction of ["inbound", "outbound", "gateway"] as const)
      expect(isNotCounting(buildHttpFilters({ direction, filters: all })[0]?.name)).toBe(false);
  });

  it("holds no place for what is not there", () => {
    const none: HttpFilters = { pluginsAuthn: [], pluginsAuthz: [], pluginsStats: [], pluginsUnspecified: [] };
    expect(buildHttpFilters({ direction: "inbound", filters: none }).map(({ name }) => name)).toEqual([
      "envoy.filters.http.router",
    ]);
  });

  it("has a delivery for every Wasm place", () => {
    const places = buildHttpFilters({ direction: "gateway", filters: all })
      .filter((place) => place.configDiscovery !== undefined)
      .map(({ name }) => name);
    expect(new Set(wasmFiltersOf({ direction: "gateway", filters: all }).map(({ name }) => name))).toEqual(
      new Set(places),
    );
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
      message: {
        config: {
          name: "x",
          rootId: "x",
          failurePolicy: "FAIL_RELOAD",
          vmConfig: { vmId: "x", runtime: "envoy.wasm.runtime.v8", environmentVariables: { keyValues: { A: "1" } } },
        },
      },
    });
  });

  it.each([
    ["open", {}],
    ["closed", { rules: {} }],
    ["reload", { rules: {} }],
  ] as const)("is a stand-in when the module cannot be had (%s)", (failureMode, message) => {
    const { typedConfig } = buildWasmExtension(
      filter("x", { failureMode, module: { kind: "unavailable", reason: "404" } }),
    );
    expect(typedConfig && unpackAny(typedConfig)).toMatchObject({ name: "HttpRbac", message });
  });
});

describe("functions that share a module", () => {
  const meshModule = { sha256: "mesh", bytes: new Uint8Array([9]) };
  const bare: HttpFilters = {
    pluginsAuthn: [],
    pluginsAuthz: [],
    pluginsStats: [],
    pluginsUnspecified: [],
    meshModule,
  };
  const idle = { module: { kind: "idle" }, configuration: "" } as const;
  const guards = {
    authorization: runs("authz", { configuration: '{"a":1}' }),
    rateLimit: runs("ratelimit", { configuration: '{"r":1}', vmId: "scrim.ratelimit" }),
    telemetry: runs("telemetry", { configuration: '{"t":1}' }),
  };
  const inbound = (filters: HttpFilters) => ({
    places: buildHttpFilters({ direction: "inbound", filters })
      .map(({ name }) => name)
      .filter(isNotCounting),
    filters: wasmFiltersOf({ direction: "inbound", filters }),
  });

  it("are those that stand side by side and fail alike", () => {
    const { places, filters } = inbound({ ...bare, ...guards });
    expect(places).toEqual(["authz+ratelimit+telemetry", "envoy.filters.http.router"]);
    expect(filters).toMatchObject([
      {
        name: places[0],
        vmId: "scrim.ratelimit",
        module: { module: meshModule },
        configuration: '{"authz":{"a":1},"ratelimit":{"r":1},"telemetry":{"t":1}}',
      },
    ]);
  });

  it("are not those that fail differently", () => {
    const { places, filters } = inbound({
      ...bare,
      ...guards,
      authorization: runs("authz", { failureMode: "reload" }),
    });
    expect(places).toEqual(["authz", "ratelimit+telemetry", "envoy.filters.http.router"]);
    expect(filters.map(({ failureMode }) => failureMode)).toEqual(["reload", "closed"]);
  });

  it("are not those that a plugin or a filter of Envoy's stands between", () => {
    expect(inbound({ ...bare, ...guards, pluginsAuthz: [filter("plugin")] }).places).toEqual([
      "telemetry",
      "plugin",
      "authz+ratelimit",
      "envoy.filters.http.router",
    ]);
    expect(inbound({ ...bare, ...guards, pluginsStats: [filter("plugin")] }).places).toEqual([
      "authz+ratelimit+telemetry",
      "plugin",
      "envoy.filters.http.router",
    ]);
    const gateway = (filters: HttpFilters) =>
      buildHttpFilters({ direction: "gateway", filters })
        .map(({ name }) => name)
        .filter(isNotCounting);
    expect(gateway({ ...bare, ...guards, router: runs("router") })).toEqual([
      "authz+ratelimit+router",
      "envoy.filters.http.fault",
      "envoy.filters.http.cors",
      "telemetry",
      "envoy.filters.http.router",
    ]);
    expect(gateway({ ...bare, ...guards, router: runs("router"), pluginsUnspecified: [filter("plugin")] })).toEqual([
      "authz+ratelimit",
      "plugin",
      "router",
      "envoy.filters.http.fault",
      "envoy.filters.http.cors",
      "telemetry",
      "envoy.filters.http.router",
    ]);
  });

  it("keep their place and the buckets' VM id, whichever of them has something to do", () => {
    const [all, some, one, none] = [
      guards,
      { ...guards, authorization: runs("authz", idle) },
      {
        ...guards,
        authorization: runs("authz", idle),
        rateLimit: runs("ratelimit", { ...idle, vmId: "scrim.ratelimit" }),
      },
      {
        authorization: runs("authz", idle),
        rateLimit: runs("ratelimit", { ...idle, vmId: "scrim.ratelimit" }),
        telemetry: runs("telemetry", idle),
      },
    ].map((some) => inbound({ ...bare, ...some }));
    expect(new Set([all, some, one, none].map((chain) => JSON.stringify(chain?.places)))).toHaveProperty("size", 1);
    expect(new Set([all, some, one, none].map((chain) => chain?.filters[0]?.vmId))).toEqual(
      new Set(["scrim.ratelimit"]),
    );
    expect(some?.filters).toMatchObject([
      { module: { module: meshModule }, configuration: '{"ratelimit":{"r":1},"telemetry":{"t":1}}' },
    ]);
    expect(one?.filters).toMatchObject([{ module: { module: { sha256: "telemetry" } }, configuration: '{"t":1}' }]);
    expect(none?.filters).toMatchObject([{ module: { kind: "idle" } }]);
  });
});
