import { describe, expect, it } from "vitest";
import type { MeshObject } from "../model/object.ts";
import { createWorld, defaultMeshConfig } from "./world.ts";

function gateway(name: string, namespace: string, creationTimestamp?: string): MeshObject<"Gateway"> {
  return {
    kind: "Gateway", apiVersion: "networking.istio.io/v1", spec: {},
    metadata: { name, namespace, labels: {}, annotations: {}, ...(creationTimestamp && { creationTimestamp }) },
    location: { file: "a.yaml", line: 1, column: 1 },
  };
}

describe("createWorld", () => {
  it("lists oldest first, then by name, then by namespace; no creation time counts as oldest", () => {
    const world = createWorld([gateway("b", "y", "2024-01-01T00:00:00Z"), gateway("z", "x"), gateway("a", "z"), gateway("a", "b"), gateway("c", "x", "2020-01-01T00:00:00Z")]);
    expect(world.list("Gateway").map((object) => `${object.metadata.namespace}/${object.metadata.name}`)).toEqual(["b/a", "z/a", "x/z", "x/c", "y/b"]);
    expect(world.list("Pod")).toEqual([]);
  });

  it("finds by namespace and name", () => {
    const one = gateway("a", "ns");
    const world = createWorld([one]);
    expect(world.get("Gateway", "ns", "a")).toBe(one);
    expect(world.get("Gateway", "ns", "b")).toBeUndefined();
    expect(world.get("VirtualService", "ns", "a")).toBeUndefined();
  });

  it("keeps the array of a kind that did not change", () => {
    const one = gateway("a", "ns");
    const first = createWorld([one]);
    expect(createWorld([one], defaultMeshConfig, 2, first).list("Gateway")).toBe(first.list("Gateway"));
    expect(createWorld([one, gateway("b", "ns")], defaultMeshConfig, 2, first).list("Gateway")).not.toBe(first.list("Gateway"));
  });
});
