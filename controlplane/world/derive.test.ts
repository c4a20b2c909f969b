import { describe, expect, it } from "vitest";
import { fileOrigin } from "../model/origin.ts";
import type { Kind } from "../model/kinds.ts";
import type { MeshObject } from "../model/object.ts";
import { runSlice } from "../model/time-slice.ts";
import { derived, keepOnlyAnswersOf, sameItems } from "./derive.ts";
import { createInputs, type InputsWith } from "./inputs.ts";
import { changeWorld, createWorld, defaultMeshConfig, type World } from "./world.ts";

function object(kind: Kind, name: string, label = ""): MeshObject {
  return {
    kind,
    apiVersion: "v1",
    spec: {},
    metadata: { name, namespace: "ns", labels: { label }, annotations: {} },
    origin: fileOrigin("a.yaml"),
  };
}

const service = (name: string, label = ""): MeshObject => object("Service", name, label);

/** The world with these objects in the place of those of the same kind and name. */
function change(world: World, ...objects: readonly MeshObject[]): World {
  return changeWorld(
    world,
    objects.map((now) => ({ before: world.get(now.kind, "ns", now.metadata.name), now })),
    world.mesh,
  );
}

function remove(world: World, kind: Kind, name: string): World {
  return changeWorld(world, [{ before: world.get(kind, "ns", name), now: undefined }], world.mesh);
}

/** A function that tells how often it was computed. */
function counted<A extends readonly unknown[], R>(compute: (world: World, ...args: A) => R) {
  const calls: A[] = [];
  return { calls, compute: (world: World, ...args: A): R => (calls.push(args), compute(world, ...args)) };
}

describe("an answer that is kept", () => {
  it("is made anew when an object that it read changed, came or went, and not when another did", () => {
    const labels = counted(
      (world: World, name: string) => world.get("Service", "ns", name)?.metadata.labels["label"] ?? "none",
    );
    const labelOf = derived(labels.compute);
    const first = createWorld([service("a", "1"), service("b", "1")]);
    expect([labelOf(first, "a"), labelOf(first, "b"), labelOf(first, "c")]).toEqual(["1", "1", "none"]);
    const second = change(first, service("a", "2"));
    expect([labelOf(second, "a"), labelOf(second, "b"), labelOf(second, "c")]).toEqual(["2", "1", "none"]);
    const third = remove(change(second, service("c", "3")), "Service", "b");
    expect([labelOf(third, "a"), labelOf(third, "b"), labelOf(third, "c")]).toEqual(["2", "none", "3"]);
    expect(labels.calls.map(([name]) => name)).toEqual(["a", "b", "c", "a", "b", "c"]);
  });

  it("stands while what it was made from comes out as it was", () => {
    const names = derived((world: World) => world.list("Service").map(({ metadata }) => metadata.name), {
      same: sameItems,
    });
    const text = counted((world: World) => names(world).join(" "));
    const textOf = derived(text.compute);
    const first = createWorld([service("a"), service("b")]);
    expect(textOf(first)).toBe("a b");
    const second = change(first, service("a", "other"));
    expect(textOf(second)).toBe("a b");
    expect(names(second)).toBe(names(first));
    expect(text.calls).toHaveLength(1);
    expect(textOf(change(second, service("c")))).toBe("a b c");
    expect(text.calls).toHaveLength(2);
  });

  it("follows what it reads now, also where it first read that while its answer came out the same", () => {
    // Reads b only when a says so.
    const inner = derived((world: World) =>
      world.get("Service", "ns", "a")?.metadata.labels["label"] === "look"
        ? (world.get("Pod", "ns", "b")?.metadata.labels["label"] ?? "none")
        : "none",
    );
    const outer = derived((world: World) => `<${inner(world)}>`);
    const first = createWorld([service("a")]);
    expect(outer(first)).toBe("<none>");
    const second = change(first, service("a", "look"));
    expect(outer(second)).toBe("<none>");
    expect(outer(change(second, object("Pod", "b", "seen")))).toBe("<seen>");
  });

  it("is right for an older state too, and for two that follow from the same one", () => {
    const labelOf = derived((world: World) => world.get("Service", "ns", "a")?.metadata.labels["label"]);
    const first = createWorld([service("a", "1")]);
    const left = change(first, service("a", "left")),
      right = change(first, service("a", "right"));
    expect([first, left, right, first, left].map((world) => labelOf(world))).toEqual([
      "1",
      "left",
      "right",
      "1",
      "left",
    ]);
  });

  it("depends on the settings and on the modules beside it only if it read them", () => {
    const trust = counted((world: World) => world.mesh.trustDomain),
      none = counted((world: World) => world.list("Pod").length);
    const [trustOf, podsOf] = [derived(trust.compute), derived(none.compute)] as const;
    const calls = { modules: 0, pods: 0 };
    const modulesOf = derived((inputs: InputsWith<object>) => (calls.modules++, inputs.modules));
    const podsBeside = derived((inputs: InputsWith<object>) => (calls.pods++, podsOf(inputs.world)));
    const ask = (world: World, modules: object): unknown[] => {
      const inputs = createInputs(world, modules);
      return [trustOf(world), podsOf(world), modulesOf(inputs), podsBeside(inputs)];
    };
    const first = createWorld([]);
    const [one, other] = [{}, {}];
    expect(ask(first, one)).toEqual(["cluster.local", 0, one, 0]);
    const second = changeWorld(first, [], { ...defaultMeshConfig, trustDomain: "other" });
    expect(ask(second, one)).toEqual(["other", 0, one, 0]);
    expect(ask(second, other)[2]).toBe(other);
    expect([trust.calls.length, none.calls.length, calls.modules, calls.pods]).toEqual([2, 1, 2, 1]);
    expect(ask(change(second, object("Pod", "a")), other)).toEqual(["other", 1, other, 1]);
    expect([none.calls.length, calls.modules, calls.pods]).toEqual([2, 2, 2]);
  });

  it("stands for the state that is served while others are asked about, until that one is served no longer", () => {
    const label = counted((world: World) => world.get("Service", "ns", "a")?.metadata.labels["label"]);
    const labelOf = derived(label.compute);
    const served = createWorld([service("a", "served")]),
      next = change(served, service("a", "next")),
      newest = change(next, service("a", "newest"));
    expect([served, next, served, newest, served, newest].map((world) => labelOf(world))).toEqual([
      "served",
      "next",
      "served",
      "newest",
      "served",
      "newest",
    ]);
    expect(label.calls).toHaveLength(3);
    keepOnlyAnswersOf(newest);
    expect(labelOf(newest)).toBe("newest");
    expect(label.calls).toHaveLength(3);
    expect(labelOf(served)).toBe("served");
    expect(label.calls).toHaveLength(4);
  });

  it("is made in as many slices as it takes, and nothing of it is made twice", () => {
    const one = counted(
      (world: World, name: string) => `${name}${world.get("Service", "ns", name)?.metadata.labels["label"]}`,
    );
    const oneOf = derived(one.compute);
    const allOf = derived((world: World) =>
      world
        .list("Service")
        .map(({ metadata }) => oneOf(world, metadata.name))
        .join(" "),
    );
    const world = createWorld(["a", "b", "c", "d"].map((name) => service(name, "1")));
    let nowMs = 0;
    // Every look at the clock finds that a millisecond has passed.
    const slice = () => runSlice({ budgetMs: 0, nowMs: () => nowMs++ }, () => allOf(world));
    const outcomes = [slice()];
    while (outcomes.at(-1)?.kind === "over" && outcomes.length < 10) outcomes.push(slice());
    expect(outcomes.at(-1)).toEqual({ kind: "done", value: "a1 b1 c1 d1" });
    expect(outcomes.length).toBeGreaterThan(2);
    expect(one.calls.map(([name]) => name)).toEqual(["a", "b", "c", "d"]);
  });

  it("keeps nothing of a computation that threw, and computes again", () => {
    const labelOf = derived((world: World) => {
      const label = world.get("Service", "ns", "a")?.metadata.labels["label"];
      if (label === "bad") throw new Error("a bug");
      return label;
    });
    const first = createWorld([service("a", "1")]);
    expect(labelOf(first)).toBe("1");
    const second = change(first, service("a", "bad"));
    expect(() => labelOf(second)).toThrow("a bug");
    expect(() => labelOf(second)).toThrow("a bug");
    expect(labelOf(first)).toBe("1");
  });

  it("refuses a question that leads back to itself, and one that asks for the revision", () => {
    const round: (world: World) => number = derived((world: World) => round(world) + 1);
    expect(() => round(createWorld([]))).toThrow(RangeError);
    expect(() => derived((world: World) => world.revision)(createWorld([]))).toThrow(RangeError);
  });

  it("is the same for worlds that do not follow from one another only where they say the same", () => {
    const labelOf = derived((world: World) => world.get("Service", "ns", "a")?.metadata.labels["label"]);
    expect(labelOf(createWorld([service("a", "1")]))).toBe("1");
    expect(labelOf(createWorld([service("a", "2")]))).toBe("2");
  });
});
