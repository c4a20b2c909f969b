import { describe, expect, it } from "vitest";
import { parseCaptureScope } from "./capture-scope.ts";

describe("parseCaptureScope", () => {
  it("captures everything where nothing is said", () => {
    expect(parseCaptureScope({})).toEqual({
      mode: undefined,
      inbound: { ports: "all", exceptPorts: [] },
      outbound: { ranges: "all", exceptRanges: [], ports: [], exceptPorts: [] },
      exceptInterfaces: [],
      outboundInterfaces: [],
      problems: [],
    });
  });

  it("reads Istio's annotations", () => {
    const asked = parseCaptureScope({
      "sidecar.istio.io/interceptionMode": "TPROXY",
      "traffic.sidecar.istio.io/includeInboundPorts": "80, 443",
      "traffic.sidecar.istio.io/excludeInboundPorts": "81",
      "traffic.sidecar.istio.io/includeOutboundIPRanges": "10.0.0.0/8,fd00::/8",
      "traffic.sidecar.istio.io/excludeOutboundIPRanges": "10.1.2.3",
      "traffic.sidecar.istio.io/includeOutboundPorts": "9000",
      "traffic.sidecar.istio.io/excludeOutboundPorts": "25,26",
      "traffic.sidecar.istio.io/excludeInterfaces": "eth1",
      "traffic.sidecar.istio.io/kubevirtInterfaces": "net1",
      "istio.io/reroute-virtual-interfaces": "net2",
    });
    expect(asked).toEqual({
      mode: "TPROXY",
      inbound: { ports: [80, 443], exceptPorts: [81] },
      outbound: {
        ranges: ["10.0.0.0/8", "fd00::/8"],
        exceptRanges: ["10.1.2.3/32"],
        ports: [9000],
        exceptPorts: [25, 26],
      },
      exceptInterfaces: ["eth1"],
      outboundInterfaces: ["net2", "net1"],
      problems: [],
    });
  });

  it("takes an empty list at its word: nothing is captured", () => {
    const asked = parseCaptureScope({
      "traffic.sidecar.istio.io/includeInboundPorts": "",
      "traffic.sidecar.istio.io/includeOutboundIPRanges": "",
    });
    expect(asked.inbound.ports).toEqual([]);
    expect(asked.outbound.ranges).toEqual([]);
  });

  it("tells what it does not understand, and never lets it into a rule", () => {
    const asked = parseCaptureScope({
      "sidecar.istio.io/interceptionMode": "MAGIC",
      "traffic.sidecar.istio.io/excludeInboundPorts": "80,http,70000,-1,1e3",
      "traffic.sidecar.istio.io/excludeOutboundIPRanges": "10.0.0.0/33,here,10.0.0.0/8",
      "traffic.sidecar.istio.io/excludeInterfaces": "eth0 -j ACCEPT\n-F,lo",
    });
    expect(asked.mode).toBeUndefined();
    expect(asked.inbound.exceptPorts).toEqual([80]);
    expect(asked.outbound.exceptRanges).toEqual(["10.0.0.0/8"]);
    expect(asked.exceptInterfaces).toEqual(["lo"]);
    expect(asked.problems).toHaveLength(8);
    expect(asked.problems[1]).toBe("traffic.sidecar.istio.io/excludeInboundPorts: http is not a port");
  });
});
