import { describe, expect, it } from "vitest";
import { createProxySnapshots } from "./proxy-snapshots.ts";
import { createResourceEncoder } from "./encode.ts";
import { type EnvoyResources, emptyResources } from "../translate/emit/resources.ts";

interface Inputs {
  readonly clusters: readonly string[];
  readonly fails?: boolean;
  readonly dangling?: boolean;
}

function setUp() {
  const errors: string[] = [];
  let translations = 0;
  const translate = (inputs: Inputs): EnvoyResources => {
    translations++;
    if (inputs.fails === true) throw new Error("a bug");
    const resources = emptyResources();
    for (const name of inputs.clusters) resources.clusters.set(name, { name, type: "STATIC" });
    if (inputs.dangling === true)
      resources.clusters.set("eds", { name: "eds", type: "EDS", edsClusterConfig: { edsConfig: { ads: {} } } });
    return resources;
  };
  const snapshots = createProxySnapshots<Inputs, string>({
    translate,
    keyOf: (name) => name,
    encoder: createResourceEncoder(),
    isBootstrapCluster: () => false,
    log: { error: (_, message) => void errors.push(message) },
  });
  return { snapshots, errors, translations: () => translations };
}

const clustersOf = (snapshots: ReturnType<typeof setUp>["snapshots"]) => [
  ...(snapshots.resourcesOf("a")?.maps.clusters.keys() ?? []),
];

describe("proxy snapshots", () => {
  it("has nothing before any inputs", () => {
    expect(setUp().snapshots.resourcesOf("a")).toBeUndefined();
  });

  it("translates once for all proxies of a class", () => {
    const { snapshots, translations } = setUp();
    snapshots.setInputs({ clusters: ["x"] });
    const first = snapshots.resourcesOf("a");
    expect(snapshots.resourcesOf("a")).toBe(first);
    expect(translations()).toBe(1);
    snapshots.resourcesOf("b");
    expect(translations()).toBe(2);
  });

  it("hands out the same object when new inputs change nothing for the class", () => {
    const { snapshots } = setUp();
    snapshots.setInputs({ clusters: ["x"] });
    const first = snapshots.resourcesOf("a");
    snapshots.setInputs({ clusters: ["x"] });
    expect(snapshots.resourcesOf("a")).toBe(first);
  });

  it("serves on what was good when a translation fails or does not hold together", () => {
    const { snapshots, errors } = setUp();
    snapshots.setInputs({ clusters: ["x"] });
    expect(clustersOf(snapshots)).toEqual(["x"]);
    snapshots.setInputs({ clusters: ["y"], fails: true });
    expect(clustersOf(snapshots)).toEqual(["x"]);
    snapshots.setInputs({ clusters: ["y"], dangling: true });
    expect(clustersOf(snapshots)).toEqual(["x"]);
    expect(errors).toHaveLength(2);
    snapshots.setInputs({ clusters: ["y"] });
    expect(clustersOf(snapshots)).toEqual(["y"]);
  });
});
