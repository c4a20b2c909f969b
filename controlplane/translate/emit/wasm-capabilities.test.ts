import { describe, expect, it } from "vitest";
import { toProto3Json } from "../../../protos/codec.ts";
import type { WasmFilter } from "../ir/filters.ts";
import { buildWasmExtension } from "./wasm-filter.ts";

const filter: WasmFilter = {
  name: "extensions.istio.io/wasmplugin/default.p",
  vmId: "default.p",
  rootId: "",
  configuration: "",
  environment: {},
  hostEnvironment: [],
  failureMode: "closed",
  module: { kind: "module", module: { sha256: "x", bytes: new Uint8Array([1]) } },
};
const configOf = (changed: Partial<WasmFilter>): unknown =>
  (
    toProto3Json("TypedExtensionConfig", buildWasmExtension({ ...filter, ...changed })) as {
      typedConfig: { config: unknown };
    }
  ).typedConfig.config;

describe("what a module may use", () => {
  it("is Envoy's to enforce, function by function", () => {
    expect(configOf({ capabilities: ["proxy_log", "proxy_on_request_headers"] })).toMatchObject({
      capabilityRestrictionConfig: { allowedCapabilities: { proxy_log: {}, proxy_on_request_headers: {} } },
    });
  });
  it("is everything where nobody said anything", () =>
    expect(configOf({})).not.toHaveProperty("capabilityRestrictionConfig"));
});
