import { describe, expect, it } from "vitest";
import { marksWithoutEffect } from "./known-marks.ts";

const of = (annotations: Readonly<Record<string, string>>, labels: Readonly<Record<string, string>> = {}) =>
  marksWithoutEffect({ annotations, labels });

describe("marksWithoutEffect", () => {
  it.each([
    ["sidecar.istio.io/unknown", ""],
    ["sidecar.istio.io/proxyCpuLimits", '; did you mean "sidecar.istio.io/proxyCPULimit"?'],
    ["sidecar.istio.io/excludeOutboundPort", '; did you mean "traffic.sidecar.istio.io/excludeOutboundPorts"?'],
    ["traffic.sidecar.istio.io/x", ""],
    ["readiness.status.sidecar.istio.io/x", ""],
    ["status.sidecar.istio.io/x", ""],
    ["inject.istio.io/template", '; did you mean "inject.istio.io/templates"?'],
    ["proxy.istio.io/conf", '; did you mean "proxy.istio.io/config"?'],
    ["prometheus.istio.io/x", ""],
  ])("says of %s that there is none", (name, hint) => {
    expect(of({ [name]: "x" })).toEqual([`annotation ${name} has no effect: there is none of this name${hint}`]);
  });

  it("says of Istio's own why they have no effect", () => {
    for (const name of ["agentLogLevel", "statsInclusionPrefixes", "statsFlushInterval"])
      expect(of({ [`sidecar.istio.io/${name}`]: "x" })).toEqual([
        expect.stringMatching(`^annotation sidecar.istio.io/${name} has no effect: (?!there is none of)`),
      ]);
  });

  it("says nothing of what is known, or somebody else's", () => {
    const known = [
      "sidecar.istio.io/proxyCPU",
      "traffic.sidecar.istio.io/excludeInboundPorts",
      "proxy.istio.io/config",
    ];
    for (const name of [...known, "example.org/sidecar", "istio.io/rev"]) expect(of({ [name]: "x" })).toEqual([]);
  });

  it("tells labels that are annotations, or nothing", () => {
    expect(of({}, { "sidecar.istio.io/logLevel": "debug", "sidecar.istio.io/injct": "false", app: "web" })).toEqual([
      "label sidecar.istio.io/logLevel has no effect: it counts as an annotation only",
      'label sidecar.istio.io/injct has no effect: there is none of this name; did you mean "sidecar.istio.io/inject"?',
    ]);
  });

  it.each(["False", "no", "0"])("tells an answer to whether it is injected that is none: %s", (value) => {
    const inject = (said: string) => ({ "sidecar.istio.io/inject": said });
    const why = `sidecar.istio.io/inject has no effect: "${value}" is neither "true" nor "false"`;
    expect(of(inject(value))).toEqual([`annotation ${why}`]);
    expect(of(inject("false"), inject(value))).toEqual([`label ${why}`]);
    // The label is the one that counts.
    expect(of(inject(value), inject("true"))).toEqual([]);
    expect(of(inject(""))).toEqual([]);
  });
});
