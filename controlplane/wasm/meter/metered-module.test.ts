import { describe, expect, it } from "vitest";
import { tinyModule } from "../../../test/fakes/tiny-module.ts";
import { loadText } from "../../store/load.ts";
import { budgetOf, DEFAULT_BUDGET, meteredModule, withBudget } from "./metered-module.ts";

function plugin(annotations: Readonly<Record<string, string | undefined>>) {
  const { world } = loadText(
    JSON.stringify({
      apiVersion: "extensions.istio.io/v1alpha1",
      kind: "WasmPlugin",
      metadata: { name: "p", namespace: "default", annotations },
      spec: { url: "file:///p.wasm" },
    }),
  );
  return world.list("WasmPlugin")[0] ?? expect.fail("no plugin");
}

describe("budgetOf", () => {
  it("is the usual one unless annotations say otherwise", () => {
    expect(budgetOf(plugin({}))).toEqual(DEFAULT_BUDGET);
    expect(budgetOf(plugin({ "scrim.mesh/turns": "5000", "scrim.mesh/memory": "8Mi" }))).toEqual({
      turns: 5_000,
      memoryPages: 128,
    });
    expect(budgetOf(plugin({ "scrim.mesh/turns": "off" }))).toMatchObject({
      turns: Number.MAX_SAFE_INTEGER,
    });
  });
  it.each([
    { "scrim.mesh/turns": "many" },
    { "scrim.mesh/turns": "0" },
    { "scrim.mesh/turns": "-1" },
    { "scrim.mesh/memory": "64" },
    { "scrim.mesh/memory": "0Mi" },
    { "scrim.mesh/memory": "9999999Mi" },
  ])("refuses %o", (annotations) => {
    expect(budgetOf(plugin(annotations))).toMatchObject({
      kind: "failed",
      field: expect.stringContaining(Object.keys(annotations)[0] ?? "") as string,
    });
  });
});

describe("meteredModule", () => {
  const module = { sha256: "digest", bytes: tinyModule("accept") };
  it("is made once for each budget and keeps the digest of what was fetched", () => {
    const [first, again, other] = [
      meteredModule(module),
      meteredModule(module),
      meteredModule(module, { turns: 5, memoryPages: 4 }),
    ];
    expect(first).toBe(again);
    expect(first).not.toBe(other);
    expect(first).toMatchObject({ sha256: "digest", bytes: expect.any(Uint8Array) as Uint8Array });
  });
  it("bears the name of its version where it is served, and is made once for it", () => {
    const settings = { configuration: "", rootId: "", environment: {}, hostEnvironment: [] };
    const served = (mark: string) => {
      const state = withBudget({ kind: "module", module, settings }, () => mark);
      return state.kind === "module" ? state.module : expect.fail(state.kind);
    };
    const [first, again] = [served("81c73599681ea3f"), served("81c73599681ea3f")];
    expect(again).toBe(first);
    expect([
      first.sha256,
      Buffer.from(first.bytes).includes("81c73599681ea3f"),
      Buffer.from(served("0123456789abcde").bytes).includes("81c73599681ea3f"),
    ]).toEqual(["digest", true, false]);
  });
  it("takes a plugin out of service that cannot have one", () => {
    const settings = { configuration: "", rootId: "", environment: {}, hostEnvironment: [] };
    expect(
      withBudget({ kind: "module", module: { sha256: "x", bytes: Uint8Array.of(1, 2, 3) }, settings }, () => "mark"),
    ).toMatchObject({ kind: "unavailable", reason: expect.stringContaining("no budget can be given to it") as string });
    expect(withBudget({ kind: "pending" }, () => "mark")).toEqual({ kind: "pending" });
  });
});
