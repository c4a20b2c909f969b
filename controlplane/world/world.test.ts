import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fileOrigin } from "../model/origin.ts";
import type { MeshObject } from "../model/object.ts";
import { changeWorld, createWorld, defaultMeshConfig } from "./world.ts";

function gateway(name: string, namespace: string, creationTimestamp?: string): MeshObject<"Gateway"> {
  return {
    kind: "Gateway",
    apiVersion: "networking.istio.io/v1",
    spec: {},
    metadata: { name, namespace, labels: {}, annotations: {}, ...(creationTimestamp && { creationTimestamp }) },
    origin: fileOrigin("a.yaml"),
  };
}

describe("createWorld", () => {
  it("lists oldest first, then by name, then by namespace; no creation time counts as oldest", () => {
    const world = createWorld([
      gateway("b", "y", "2024-01-01T00:00:00Z"),
      gateway("z", "x"),
      gateway("a", "z"),
      gateway("a", "b"),
      gateway("c", "x", "2020-01-01T00:00:00Z"),
    ]);
    expect(world.list("Gateway").map((object) => `${object.metadata.namespace}/${object.metadata.name}`)).toEqual([
      "b/a",
      "z/a",
      "x/z",
      "x/c",
      "y/b",
    ]);
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
    expect(createWorld([one, gateway("b", "ns")], defaultMeshConfig, 2, first).list("Gateway")).not.toBe(
      first.list("Gateway"),
    );
  });
});

describe("changeWorld", () => {
  it("is what a world made of the same objects would be", () => {
    const names = fc.tuple(
      fc.constantFrom("a", "b", "c", "d"),
      fc.constantFrom("x", "y"),
      fc.constantFrom(undefined, "2020-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
      fc.boolean(),
    );
    fc.assert(
      fc.property(fc.array(fc.array(names, { maxLength: 6 }), { maxLength: 6 }), (rounds) => {
        let world = createWorld([]);
        const objects = new Map<string, MeshObject<"Gateway">>();
        for (const round of rounds) {
          const changes = new Map(
            round.map(([name, namespace, created, stays]) => [
              `${namespace}/${name}`,
              {
                before: world.get("Gateway", namespace, name),
                now: stays ? gateway(name, namespace, created) : undefined,
              },
            ]),
          );
          world = changeWorld(world, changes.values(), world.mesh);
          for (const [key, { now }] of changes) {
            if (now === undefined) objects.delete(key);
            else objects.set(key, now);
          }
          expect(world.list("Gateway")).toEqual(createWorld(objects.values()).list("Gateway"));
          for (const name of "abcd")
            for (const namespace of "xy")
              expect(world.get("Gateway", namespace, name)).toBe(objects.get(`${namespace}/${name}`));
        }
      }),
    );
  });

  it("leaves the lists of other kinds as they are, and the world before", () => {
    const first = createWorld([gateway("a", "ns")]);
    const second = changeWorld(first, [{ before: undefined, now: { ...gateway("b", "ns"), kind: "Pod" } }], first.mesh);
    expect([
      second.list("Gateway") === first.list("Gateway"),
      second.list("Pod").length,
      first.list("Pod").length,
      second.revision,
    ]).toEqual([true, 1, 0, 2]);
  });
});
