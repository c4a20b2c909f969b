import { describe, expect, it } from "vitest";
import { analyzeWorld } from "./analyze-world.ts";
import type { Origin } from "../model/origin.ts";
import { loadText } from "../store/load.ts";

function analyze(text: string): readonly string[] {
  const { world, violations } = loadText(text);
  expect(violations).toEqual([]);
  return analyzeWorld(world).map(
    ({ origin, object, field, message, severity }) => `${lineOf(origin)} ${severity} ${object} ${field}: ${message}`,
  );
}

const lineOf = (origin: Origin) => (origin.kind === "file" ? origin.line : undefined);

const service = (name: string, spec: string) =>
  `{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: ${name}}, spec: ${spec}}\n`;

describe("analyzeWorld", () => {
  it("finds references that lead nowhere", () => {
    expect(
      analyze(
        service(
          "a",
          "{hosts: [a], gateways: [mesh, gw, other/gw], http: [{route: [{destination: {host: b, subset: v1}}]}]}",
        ),
      ),
    ).toEqual([
      "1 warning VirtualService/default/a spec.gateways[1]: there is no Gateway default/gw",
      "1 warning VirtualService/default/a spec.gateways[2]: there is no Gateway other/gw",
      "1 warning VirtualService/default/a spec.http[0].route[0].destination.subset: no DestinationRule of b.default.svc.cluster.local has a subset v1",
    ]);
  });

  it("is silent about those that lead somewhere", () => {
    expect(
      analyze(
        [
          service("a", "{hosts: [a], http: [{route: [{destination: {host: b, subset: v1}}]}]}"),
          "{apiVersion: networking.istio.io/v1, kind: DestinationRule, metadata: {name: b}, spec: {host: b.default.svc.cluster.local, subsets: [{name: v1}]}}\n",
        ].join("---\n"),
      ),
    ).toEqual([]);
  });

  it("says which VirtualService is in the shadow of another", () => {
    expect(
      analyze(
        [
          service("a", "{hosts: [h], http: [{route: [{destination: {host: b}}]}]}"),
          service("b", "{hosts: [x.com, h.default.svc.cluster.local], http: [{route: [{destination: {host: b}}]}]}"),
        ].join("---\n"),
      ),
    ).toEqual([
      "3 warning VirtualService/default/b spec.hosts[1]: has no effect on sidecars: VirtualService/default/a routes h.default.svc.cluster.local already, and is older",
    ]);
  });

  it("finds bindings without what they bind", () => {
    expect(
      analyze(
        "{apiVersion: config.istio.io/v1alpha2, kind: QuotaSpecBinding, metadata: {name: a}, spec: {services: [{name: s}], quotaSpecs: [{name: q}]}}",
      ),
    ).toEqual([
      "1 warning QuotaSpecBinding/default/a spec.quotaSpecs[0]: there is no QuotaSpec default/q",
      "1 warning QuotaSpecBinding/default/a spec.services[0]: there is no Service s.default.svc.cluster.local",
    ]);
  });
});
