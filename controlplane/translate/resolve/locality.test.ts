import { describe, expect, it } from "vitest";
import type { LocalitySettingSpec } from "../../model/kinds/destination-rule.ts";
import { localityOf, topologyOf, withTopology } from "../../pods/locality.ts";
import { labelsThatMatter, placeEndpoints, resolveLocalityPolicy } from "./locality.ts";

const outlierDetection = {};
const client = { app: "client", ...topologyOf("eu/eu-1/rack-1") };

/** Each address in its locality, by the locality's name. */
function backends(...localities: readonly string[]) {
  return localities.map((locality, index) => ({
    labels: topologyOf(locality),
    endpoint: { address: `10.0.0.${index}`, port: 80, weight: 1, meshTls: false, healthy: true, locality },
  }));
}

const placed = (setting: LocalitySettingSpec, localities: readonly string[], labels: Record<string, string> = client) =>
  placeEndpoints(
    backends(...localities),
    resolveLocalityPolicy({}, { loadBalancer: { localityLbSetting: setting }, outlierDetection }),
    labels,
  );
const priorities = (...args: Parameters<typeof placed>) =>
  placed(...args).endpoints.map(({ locality, priority = 0 }) => `${locality} ${priority}`);

describe("failover", () => {
  const all = ["eu/eu-1/rack-1", "eu/eu-1/rack-2", "eu/eu-2", "us", "asia"];

  it("goes by distance, without gaps", () => {
    expect(priorities({}, all)).toEqual(["eu/eu-1/rack-1 0", "eu/eu-1/rack-2 1", "eu/eu-2 2", "us 3", "asia 3"]);
    expect(priorities({}, ["us", "asia"])).toEqual(["us 0", "asia 0"]);
    expect(priorities({}, ["eu/eu-2", "us"])).toEqual(["eu/eu-2 0", "us 1"]);
  });

  it("goes to the region that is named before all others", () => {
    expect(priorities({ failover: [{ from: "eu", to: "asia" }] }, ["us", "asia"])).toEqual(["us 1", "asia 0"]);
    expect(priorities({ failover: [{ from: "us", to: "asia" }] }, ["us", "asia"])).toEqual(["us 0", "asia 0"]);
  });

  it("goes by labels in order, the client's or a value that is given", () => {
    const failoverPriority = ["topology.kubernetes.io/region=us", "topology.kubernetes.io/zone"];
    expect(priorities({ failoverPriority }, ["us/eu-1", "us/us-1", "eu/eu-1"])).toEqual([
      "us/eu-1 0",
      "us/us-1 1",
      "eu/eu-1 2",
    ]);
  });

  it("needs outlier detection, and can be turned off", () => {
    expect(resolveLocalityPolicy({}, {}).kind).toBe("none");
    expect(resolveLocalityPolicy({}, { outlierDetection }).kind).toBe("failover");
    expect(resolveLocalityPolicy({ localityLbSetting: { enabled: false } }, { outlierDetection }).kind).toBe("none");
    const loadBalancer = { localityLbSetting: { enabled: false } };
    expect(resolveLocalityPolicy({}, { loadBalancer, outlierDetection }).kind).toBe("none");
  });
});

describe("shares of localities", () => {
  it("are those of the first rule for the client's own; who is not named is not asked", () => {
    const distribute = [
      { from: "us/*", to: { us: 100 } },
      { from: "eu/eu-1/*", to: { "eu/eu-1/*": 60, us: 40 } },
      { from: "*", to: { asia: 100 } },
    ];
    const all = ["eu/eu-1/rack-1", "eu/eu-1/rack-2", "us", "asia"];
    const { endpoints, localityWeights } = placed({ distribute }, all);
    expect(endpoints.map(({ locality }) => locality)).toEqual(["eu/eu-1/rack-1", "eu/eu-1/rack-2", "us"]);
    expect(localityWeights).toEqual({ "eu/eu-1/rack-1": 30, "eu/eu-1/rack-2": 30, us: 40 });
    expect(placed({ distribute: distribute.slice(0, 1) }, all).endpoints).toHaveLength(4);
    expect(placed({ distribute }, all, topologyOf("africa")).localityWeights).toEqual({ asia: 100 });
  });
});

describe("what of a client's labels matters", () => {
  it("is nothing where localities do not count", () => {
    expect(labelsThatMatter({}, {})).toEqual([]);
    const setting = { failoverPriority: ["rack", "version=v1"] };
    expect(labelsThatMatter({ localityLbSetting: setting }, { outlierDetection })).toEqual(
      expect.arrayContaining(["topology.kubernetes.io/zone", "rack", "version"]),
    );
  });
});

describe("the locality of a workload", () => {
  it("is said by Istio's label, by Kubernetes' labels, or by annotations of their names", () => {
    const of = (labels: Record<string, string>, annotations = {}) => localityOf(withTopology(labels, annotations));
    expect(of({})).toBe("");
    expect(of({ "istio-locality": "eu.eu-1.rack-1", "topology.kubernetes.io/region": "us" })).toBe("eu/eu-1/rack-1");
    expect(of({ "topology.kubernetes.io/region": "eu" }, { "topology.kubernetes.io/zone": "eu-1" })).toBe("eu/eu-1");
    expect(of({}, { "istio-locality": "eu/eu-1" })).toBe("eu/eu-1");
    const labels = { app: "a" };
    expect(withTopology(labels)).toBe(labels);
  });
});
