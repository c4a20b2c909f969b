import { describe, expect, it } from "vitest";
import { declared, deployed, networking, object, said, service } from "./testing.ts";

const kubernetesService = (name: string, spec: string, more = "") => object("Service", "v1", name, spec, more);
const NOBODY = "selects nobody: no workload of namespace default has these labels";

describe("a Service that leads to nobody", () => {
  it("is told: its selector, and the port that nobody names", () => {
    expect(
      said(
        deployed("web"),
        kubernetesService("misspelt", "{selector: {app: wbe}, ports: [{port: 80}]}"),
        object(
          "Deployment",
          "apps/v1",
          "named",
          "{template: {metadata: {labels: {app: named}}, spec: {containers: [{ports: [{containerPort: 80, name: http}]}]}}}",
        ),
        kubernetesService(
          "named",
          "{selector: {app: named}, ports: [{name: a, port: 80, targetPort: http}, {name: b, port: 81, targetPort: htpp}," +
            "{name: c, port: 82, targetPort: '80'}, {name: d, port: 83, targetPort: dns, protocol: UDP}]}",
        ),
      ),
    ).toEqual([
      `Service/default/misspelt spec.selector: ${NOBODY}`,
      'Service/default/named spec.ports[1].targetPort: no selected workload names a port htpp; did you mean "http"?: ' +
        "nobody is reached by it",
    ]);
  });

  it("is none where somebody has it: pods, workloads outside, slices, gateways, or nobody is to be selected", () => {
    expect(
      said(
        deployed("web"),
        kubernetesService("slices", "{selector: {app: gone}, ports: [{name: a, port: 80, targetPort: x}]}"),
        `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: s, labels: {kubernetes.io/service-name: slices}}, addressType: IPv4, ports: [{name: a, port: 80}], endpoints: [{addresses: [10.0.0.1]}]}\n`,
        kubernetesService("bare", "{ports: [{port: 80}]}"),
        kubernetesService("outside", "{type: ExternalName, externalName: a.com, selector: {app: gone}}"),
        networking("WorkloadEntry", "vm", "{address: 10.0.0.2, labels: {app: vm}, ports: {http: 8080}}"),
        kubernetesService("vm", "{selector: {app: vm}, ports: [{port: 80, targetPort: http}]}"),
        networking(
          "Gateway",
          "gw",
          "{selector: {app: edge}, servers: [{port: {number: 80, name: a, protocol: HTTP}, hosts: [a]}]}",
        ),
        kubernetesService("edge", "{selector: {app: edge}, ports: [{port: 80, targetPort: http2}]}"),
        object(
          "Pod",
          "v1",
          "sick",
          "{containers: [{name: a, ports: [{containerPort: 1, name: x}]}]}",
          ", labels: {app: pod}",
        ),
        kubernetesService("pod", "{selector: {app: pod}, ports: [{port: 80, targetPort: x}]}"),
      ),
    ).toEqual([]);
  });

  it("is told of ServiceEntries too; a workload that is not well is there all the same", () => {
    const entry = (name: string) =>
      networking(
        "ServiceEntry",
        name,
        `{hosts: [${name}.com], ports: [{number: 80, name: http, protocol: HTTP}], resolution: STATIC, workloadSelector: {labels: {app: ${name}}}}`,
      );
    const watched = ", annotations: {proxy.istio.io/health-checks-enabled: 'true'}";
    expect(
      said(
        deployed("web"),
        entry("gone"),
        entry("sick"),
        networking("WorkloadEntry", "sick", "{address: 10.0.0.2, labels: {app: sick}}", watched),
      ),
    ).toEqual([`ServiceEntry/default/gone spec.workloadSelector.labels: ${NOBODY}`]);
  });
});

describe("an export to nobody", () => {
  it("is told, in every kind that has one", () => {
    const sees = (namespace: string) => `there is nothing in namespace ${namespace}: nobody sees this by it`;
    expect(
      said(
        declared("a"),
        service("v", "{hosts: [v], exportTo: [., ns9], http: [{route: [{destination: {host: a}}]}]}"),
        networking("DestinationRule", "d", "{host: a, exportTo: [ns9]}"),
        networking(
          "ServiceEntry",
          "e",
          "{hosts: [e.com], exportTo: [ns8], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}",
        ),
        networking(
          "ServiceEntry",
          "hidden",
          "{hosts: [h.com], exportTo: ['~'], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}",
        ),
        kubernetesService("s", "{ports: [{port: 80}]}", ", annotations: {networking.istio.io/exportTo: 'ns8, ns9'}"),
        "{apiVersion: v1, kind: Namespace, metadata: {name: ns8}}\n",
      ),
    ).toEqual([
      `VirtualService/default/v spec.exportTo[1]: ${sees("ns9")}`,
      `DestinationRule/default/d spec.exportTo[0]: ${sees("ns9")}`,
      `Service/default/s metadata.annotations["networking.istio.io/exportTo"]: ${sees("ns9")}`,
    ]);
  });
});

describe("an egress host that only rules for others cover", () => {
  const lacking = (host: string) =>
    `no Service, ServiceEntry or VirtualService of namespace default has the host ${host}`;

  it("is declared by none of them", () => {
    const rule = (name: string, hosts: string, gateways = "mesh") =>
      service(name, `{hosts: [${hosts}], gateways: [${gateways}], http: [{route: [{destination: {host: a}}]}]}`);
    expect(
      said(
        declared("a"),
        networking(
          "Gateway",
          "gw",
          "{selector: {a: b}, servers: [{port: {number: 80, name: a, protocol: HTTP}, hosts: ['*']}]}",
        ),
        rule("every", "'*'", "gw"),
        rule("services", "'*.svc.cluster.local'"),
        rule("wide", "'*.wide.com'"),
        rule("edge", "edge.com", "gw"),
        networking("Sidecar", "s", "{egress: [{hosts: [./nowhere, ./a.wide.com, ./edge.com, ./a, ./a.else.com]}]}"),
      ),
    ).toEqual([
      `Sidecar/default/s spec.egress[0].hosts[0]: ${lacking("nowhere.default.svc.cluster.local")}`,
      `Sidecar/default/s spec.egress[0].hosts[2]: ${lacking("edge.com")}`,
      `Sidecar/default/s spec.egress[0].hosts[4]: ${lacking("a.else.com")}`,
    ]);
  });
});
