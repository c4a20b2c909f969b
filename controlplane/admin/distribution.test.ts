import { describe, expect, it } from "vitest";
import { fileOrigin } from "../model/origin.ts";
import { contentHash } from "../model/content-hash.ts";
import { loadText } from "../store/load.ts";
import { type ProxySync, type ControlPlaneView, type SyncState, syncTypes } from "./contract.ts";
import { distributionOf as distribution } from "./distribution.ts";
import type { Concerns } from "../proxies/concerned-proxies.ts";

const yaml = (host: string) => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: shop }
spec: { hosts: [${host}], http: [{ route: [{ destination: { host: reviews } }] }] }
`;
const { world } = loadText(yaml("reviews"));

function proxy(
  pod: string,
  states: Partial<Record<string, SyncState>> = {},
  rejections: ProxySync["rejections"] = [],
): ProxySync {
  const sync = Object.fromEntries(syncTypes.map((type) => [type, states[type] ?? "SYNCED"])) as ProxySync["sync"];
  return {
    nodeId: `sidecar~10.0.0.1~${pod}.shop~x`,
    pod,
    namespace: "shop",
    identity: "spiffe://x",
    envoyVersion: "1.40.0",
    sync,
    rejections,
  };
}

function view(proxies: readonly ProxySync[], changes: Partial<ControlPlaneView> = {}): ControlPlaneView {
  return {
    isReady: () => true,
    world: () => world,
    hasUnpublishedChange: () => false,
    proxies: () => proxies,
    untriedPlugins: () => [],
    heldBack: () => undefined,
    violations: () => [],
    ...changes,
  };
}
const distributionOf = (seen: ControlPlaneView, object: string, concerns: Concerns = () => undefined) =>
  distribution(seen, object, concerns);
const OBJECT = "VirtualService/shop/reviews";

describe("distributionOf", () => {
  it("counts the proxies that acknowledged, and says what the others wait for", () => {
    const seen = distributionOf(
      view([
        proxy("a"),
        proxy("b", { vhds: "STALE" }),
        proxy("c", { lds: "ERROR" }, [
          { type: "lds", resources: ["x"], message: "no such filter", atMs: 1, blame: "content" },
        ]),
      ]),
      OBJECT,
    );
    expect(seen).toMatchObject({
      object: OBJECT,
      published: true,
      concerned: 3,
      reached: 1,
      waiting: [
        { proxy: "b.shop", why: "has not acknowledged vhds" },
        { proxy: "c.shop", why: "rejected lds x: no such filter" },
      ],
    });
  });
  it("counts only the proxies it concerns", () => {
    expect(
      distributionOf(view([proxy("a"), proxy("b", { vhds: "STALE" })]), OBJECT, ({ pod }) => pod === "a"),
    ).toMatchObject({ concerned: 1, reached: 1, waiting: [] });
  });
  it("waits for the runner's proxies that are not here, as after a restart of the control plane", () => {
    const pod = (name: string) =>
      `---\napiVersion: v1\nkind: Pod\nmetadata: {name: ${name}, namespace: shop, annotations: {scrim.mesh/proxy: sidecar}}\nspec: {}\n`;
    const { world: withPods } = loadText(`${yaml("reviews")}${pod("a")}${pod("b")}${pod("c")}`);
    const seen = distributionOf(view([proxy("a")], { world: () => withPods }), OBJECT, ({ pod: name }) => name !== "c");
    expect(seen).toMatchObject({ concerned: 2, reached: 1, waiting: [{ proxy: "b.shop", why: "is not connected" }] });
  });
  it("waits for the publication", () => {
    expect(distributionOf(view([proxy("a")], { hasUnpublishedChange: () => true }), OBJECT)).toMatchObject({
      published: false,
      reached: 0,
    });
  });
  it("says why proxies do not have the plugin that they acknowledged", () => {
    const { world: withPlugin } = loadText(
      "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: stamp, namespace: shop}\nspec: {url: file:///x.wasm}\n",
    );
    const held = (changes: Partial<ControlPlaneView>) =>
      distributionOf(view([proxy("a")], { world: () => withPlugin, ...changes }), "WasmPlugin/shop/stamp")?.held;
    expect(held({})).toBeUndefined();
    expect(held({ heldBack: (plugin) => `${plugin} is being rolled out` })).toBe("shop/stamp is being rolled out");
    expect(held({ untriedPlugins: () => ["shop/stamp"] })).toBe("its module is being fetched and tried");
  });
  it("says why the newest version is not accepted", () => {
    const violations = () => [
      {
        severity: "error" as const,
        origin: fileOrigin("a.yaml", 3),
        object: OBJECT,
        field: "spec.hosts",
        message: "must not be empty",
        servingLastGood: true,
      },
    ];
    expect(distributionOf(view([proxy("a")], { violations }), OBJECT)?.problem).toBe(
      "a.yaml:3: spec.hosts: must not be empty",
    );
  });
  it("knows what is not there, and what is no name", () => {
    expect(distributionOf(view([proxy("a")]), "VirtualService/shop/other")).toMatchObject({
      published: false,
      concerned: 0,
    });
    expect(distributionOf(view([]), "VirtualService/shop/other")?.content).toBeUndefined();
    for (const text of ["", "Nothing/a/b", "VirtualService", "VirtualService/a/b/c"])
      expect(distributionOf(view([]), text)).toBeUndefined();
  });
});

describe("contentHash", () => {
  const hash = (text: string) =>
    contentHash(loadText(text).world.list("VirtualService")[0] ?? expect.fail("no object"));
  it("is the same for the same document wherever it stands, and differs with its content", () => {
    expect(hash(yaml("reviews"))).toBe(hash(`# moved\n---\n${yaml("reviews")}`));
    expect(hash(yaml("reviews"))).not.toBe(hash(yaml("ratings")));
  });
});
