import { describe, expect, it } from "vitest";
import { Registry } from "prom-client";
import { registerValidationMetrics } from "./validation-metrics.ts";

describe("documents that were judged", () => {
  it("are counted by what they say they are, where they are a mesh's", async () => {
    const registry = new Registry();
    const count = registerValidationMetrics(registry, new Set(["VirtualService", "Telemetry", "Service"]));
    const route = { apiVersion: "networking.istio.io/v1", kind: "VirtualService" };
    count(route, true);
    count(route, true);
    count(route, false);
    count({ apiVersion: "telemetry.istio.io/v1alpha1", kind: "Telemetry" }, true);
    count({ apiVersion: "networking.istio.io/v1", kind: "Whatever" }, false);
    count({ apiVersion: "networking.istio.io/\nx", kind: "VirtualService" }, false);
    for (const other of [{ apiVersion: "v1", kind: "Service" }, { kind: "VirtualService" }, "text", null, 7])
      count(other, true);
    const lines = (await registry.metrics()).split("\n").filter((line) => line.startsWith("galley_"));
    expect(lines).toEqual([
      'galley_validation_passed{group="networking.istio.io",version="v1",resource="virtualservices"} 2',
      'galley_validation_passed{group="telemetry.istio.io",version="v1alpha1",resource="telemetries"} 1',
      'galley_validation_failed{group="networking.istio.io",version="v1",resource="virtualservices",' +
        'reason="invalid_resource"} 1',
      'galley_validation_failed{group="",version="",resource="",reason="invalid_resource"} 2',
    ]);
  });
});
