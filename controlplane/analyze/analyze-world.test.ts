import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { analyzeWorld, withoutFollowOns } from "./analyze-world.ts";
import { loadFiles, loadText } from "../store/load.ts";
import { CERTIFICATE, KEY } from "../../test/golden/tls-material.ts";
import { analyze, declared, deployed, mesh, networking, object, said, security, service } from "./testing.ts";

describe("analyzeWorld", () => {
  it("finds Gateways, hosts, ports and subsets that routes name and nobody has", () => {
    expect(
      analyze(
        mesh(
          service(
            "a",
            `{hosts: [a], gateways: [mesh, gw, other/gw], http: [
              {match: [{gateways: [./inner]}], route: [{destination: {host: revews}}]},
              {match: [{uri: {prefix: /a}}], route: [{destination: {host: reviews, port: {number: 8080}}}], mirror: {host: reviews, subset: v9}},
              {route: [{destination: {host: reviews}}], mirrors: [{destination: {host: a.nowhere.com}}]}]}`,
          ),
          declared("reviews"),
        ),
      ),
    ).toEqual([
      "1 warning VirtualService/default/a spec.gateways[1]: there is no Gateway default/gw",
      "1 warning VirtualService/default/a spec.gateways[2]: there is no Gateway other/gw",
      "1 warning VirtualService/default/a spec.http[0].match[0].gateways[0]: there is no Gateway default/inner",
      "1 warning VirtualService/default/a spec.http[0].route[0].destination.host: " +
        "no Service or ServiceEntry declares the host revews.default.svc.cluster.local; " +
        'did you mean "reviews.default"?',
      "1 warning VirtualService/default/a spec.http[1].route[0].destination.port.number: " +
        "reviews.default.svc.cluster.local has no port 8080: it has 80",
      "1 warning VirtualService/default/a spec.http[1].mirror.subset: " +
        "no DestinationRule of reviews.default.svc.cluster.local has a subset v9",
      "1 warning VirtualService/default/a spec.http[2].mirrors[0].destination.host: " +
        "no Service or ServiceEntry declares the host a.nowhere.com",
    ]);
  });

  it("is silent about references that lead somewhere, in each of the forms that they have", () => {
    expect(
      said(
        service(
          "a",
          `{hosts: [a], gateways: [mesh, ./gw, gw.default, default/gw], http: [
            {match: [{uri: {prefix: /a}}], route: [{destination: {host: B, subset: v1, port: {number: 80}}}], mirror: {host: b.default.svc.cluster.local}},
            {match: [{uri: {prefix: /b}}], route: [{destination: {host: b, subset: wide}}]}, {route: [{destination: {host: x.out.com}}]}]}`,
        ),
        networking("DestinationRule", "b", "{host: b.default.svc.cluster.local, subsets: [{name: v1}]}"),
        networking("DestinationRule", "wide", '{host: "*.default.svc.cluster.local", subsets: [{name: wide}]}'),
        networking(
          "Gateway",
          "gw",
          "{selector: {a: b}, servers: [{port: {number: 80, name: a, protocol: HTTP}, hosts: [a]}]}",
        ),
        networking("ServiceEntry", "out", '{hosts: ["*.out.com"], ports: [{number: 80, name: http, protocol: HTTP}]}'),
        networking("Sidecar", "s", '{egress: [{hosts: [./*, "*/*", ./b, "~/*", istio-system/*, "*/x.out.com", ./a]}]}'),
        declared("b"),
      ),
    ).toEqual([]);
  });

  it("finds DestinationRules for hosts and ports that nobody has", () => {
    expect(
      said(
        networking("DestinationRule", "a", "{host: revews}"),
        networking("DestinationRule", "b", '{host: "*.elsewhere.com"}'),
        networking(
          "DestinationRule",
          "c",
          "{host: reviews, trafficPolicy: {portLevelSettings: [{port: {number: 8080}}]}, " +
            "subsets: [{name: v1, trafficPolicy: {portLevelSettings: [{port: {number: 80}}, {port: {number: 81}}]}}]}",
        ),
        declared("reviews"),
      ),
    ).toEqual([
      "DestinationRule/default/a spec.host: no Service or ServiceEntry declares the host revews.default.svc.cluster.local; " +
        'did you mean "reviews.default"?',
      "DestinationRule/default/b spec.host: no host that a Service or ServiceEntry declares is covered by *.elsewhere.com",
      "DestinationRule/default/c spec.trafficPolicy.portLevelSettings[0].port.number: " +
        "reviews.default.svc.cluster.local has no port 8080: it has 80",
      "DestinationRule/default/c spec.subsets[0].trafficPolicy.portLevelSettings[1].port.number: " +
        "reviews.default.svc.cluster.local has no port 81: it has 80",
    ]);
  });

  it("finds an ingress for pods that are told of their sidecar", () => {
    const pod = (name: string, more: string) =>
      object(
        "Pod",
        "v1",
        name,
        "{containers: [{name: app}]}",
        `, labels: {app: ${name}}, annotations: {scrim.mesh/proxy: sidecar${more}}`,
      );
    const sidecar = (app: string) =>
      networking(
        "Sidecar",
        app,
        `{workloadSelector: {labels: {app: ${app}}}, ingress: [{port: {number: 80, protocol: HTTP, name: a}}]}`,
      );
    expect(
      said(pod("told", ""), pod("led", ", scrim.mesh/capture: REDIRECT"), sidecar("told"), sidecar("led")),
    ).toEqual([
      "Sidecar/default/told spec.ingress: has no effect on told: its connections are not captured, and its ports are " +
        "given to it",
    ]);
  });

  it("finds selectors that select nobody, in every kind that has one", () => {
    const selector = "selector: {matchLabels: {app: revews}}";
    const nobody = "selects nobody: no workload of namespace default has these labels";
    expect(
      said(
        deployed("reviews"),
        security("PeerAuthentication", "a", `{${selector}, portLevelMtls: {80: {mode: STRICT}}}`),
        security("AuthorizationPolicy", "a", `{${selector}, action: DENY, rules: [{}]}`),
        networking("Sidecar", "a", "{workloadSelector: {labels: {app: revews}}, egress: [{hosts: [./*]}]}"),
        object("Telemetry", "telemetry.istio.io/v1", "a", `{${selector}}`),
        object("WasmPlugin", "extensions.istio.io/v1alpha1", "a", `{${selector}, url: "file:///a.wasm"}`),
        object(
          "RateLimitPolicy",
          "policy.scrim.mesh/v1alpha1",
          "a",
          `{${selector}, limits: [{name: a, requests: 1, per: 1s}]}`,
        ),
        security("AuthorizationPolicy", "root", `{${selector}, rules: [{}]}`, ", namespace: istio-system"),
        // Who is selected: pods of its own namespace, a Deployment's before there are any, and gateways that will be.
        security("AuthorizationPolicy", "b", "{selector: {matchLabels: {app: reviews}}, rules: [{}]}"),
        security(
          "AuthorizationPolicy",
          "c",
          "{selector: {matchLabels: {app: reviews}}, rules: [{}]}",
          ", namespace: istio-system",
        ),
        networking(
          "Gateway",
          "gw",
          "{selector: {istio: ingressgateway}, servers: [{port: {number: 80, name: a, protocol: HTTP}, hosts: [a]}]}",
        ),
        security(
          "AuthorizationPolicy",
          "d",
          "{selector: {matchLabels: {istio: ingressgateway}}, rules: [{}]}",
          ", namespace: istio-system",
        ),
      ),
    ).toEqual([
      `PeerAuthentication/default/a spec.selector.matchLabels: ${nobody}`,
      `AuthorizationPolicy/default/a spec.selector.matchLabels: ${nobody}`,
      "AuthorizationPolicy/istio-system/root spec.selector.matchLabels: selects nobody: no workload of the mesh has these labels",
      `Sidecar/default/a spec.workloadSelector.labels: ${nobody}`,
      `Telemetry/default/a spec.selector.matchLabels: ${nobody}`,
      `WasmPlugin/default/a spec.selector.matchLabels: ${nobody}`,
      `RateLimitPolicy/default/a spec.selector.matchLabels: ${nobody}`,
    ]);
  });

  it("says nothing of selectors where the mesh is told of no workload at all", () => {
    expect(said(security("AuthorizationPolicy", "a", "{selector: {matchLabels: {app: a}}, rules: [{}]}"))).toEqual([]);
  });

  it("finds ports that no selected workload serves, and says which a Service's port means", () => {
    const selector = "selector: {matchLabels: {app: reviews}}";
    expect(
      said(
        declared("reviews"),
        deployed("reviews"),
        security("PeerAuthentication", "a", `{${selector}, portLevelMtls: {80: {mode: STRICT}, 8080: {mode: STRICT}}}`),
        security(
          "AuthorizationPolicy",
          "a",
          `{${selector}, action: DENY, rules: [{to: [{operation: {ports: ["8080", "81"]}}]}]}`,
        ),
      ),
    ).toEqual([
      'PeerAuthentication/default/a spec.portLevelMtls["80"]: no selected workload serves port 80: they serve 8080; ' +
        "the Service's port 80 leads to 8080",
      "AuthorizationPolicy/default/a spec.rules[0].to[0].operation.ports[1]: no selected workload serves port 81: they serve 8080",
    ]);
  });

  it("lets policies name any port of captured workloads, which take what comes to it", () => {
    const captured = deployed("reviews").replace(
      "{labels: {app: reviews}}",
      "{labels: {app: reviews}, annotations: {scrim.mesh/capture: REDIRECT}}",
    );
    expect(captured).toContain("scrim.mesh/capture");
    const peers = security(
      "PeerAuthentication",
      "a",
      "{selector: {matchLabels: {app: reviews}}, portLevelMtls: {81: {mode: STRICT}}}",
    );
    expect(said(declared("reviews"), captured, peers)).toEqual([]);
  });

  it("finds proxies for unknown hosts that nobody declares", () => {
    const proxy = "{outboundTrafficPolicy: {mode: ALLOW_ANY, egressProxy: {host: nowhere, port: {number: 3128}}}}";
    expect(said(networking("Sidecar", "a", proxy))).toEqual([
      expect.stringContaining("Sidecar/default/a spec.outboundTrafficPolicy.egressProxy.host: "),
    ]);
  });

  it("finds hosts that a Sidecar cannot see", () => {
    expect(
      said(
        networking(
          "Sidecar",
          "a",
          '{egress: [{hosts: [./revews, other/reviews, ns9/*, "*/x.com", "./*.elsewhere.com"]}]}',
        ),
        declared("reviews"),
      ),
    ).toEqual([
      "Sidecar/default/a spec.egress[0].hosts[0]: no Service, ServiceEntry or VirtualService of namespace default has the host revews.default.svc.cluster.local",
      "Sidecar/default/a spec.egress[0].hosts[1]: no Service, ServiceEntry or VirtualService of namespace other has the host reviews.other.svc.cluster.local",
      "Sidecar/default/a spec.egress[0].hosts[2]: there is nothing in namespace ns9",
      "Sidecar/default/a spec.egress[0].hosts[3]: no Service, ServiceEntry or VirtualService has the host x.com",
      "Sidecar/default/a spec.egress[0].hosts[4]: no Service, ServiceEntry or VirtualService of namespace default has the host *.elsewhere.com",
    ]);
  });

  it("finds Secrets that Gateways name and that are nowhere, and those without a certificate", () => {
    const pair = { "tls.crt": CERTIFICATE, "tls.key": KEY };
    const secure = (name: string, credential: string) =>
      networking(
        "Gateway",
        name,
        `{selector: {a: b}, servers: [{port: {number: 443, name: a, protocol: HTTPS}, hosts: [${name}.com], tls: {mode: SIMPLE, credentialName: ${credential}}}]}`,
      );
    expect(
      said(
        secure("a", "gone"),
        secure("b", "empty"),
        secure("c", "whole"),
        "{apiVersion: v1, kind: Secret, metadata: {name: empty}}\n",
        `apiVersion: v1\nkind: Secret\nmetadata: {name: whole}\nstringData: ${JSON.stringify(pair)}\n`,
      ),
    ).toEqual([
      "Gateway/default/a spec.servers[0].tls.credentialName: there is no Secret gone in default: the server stays closed",
      "Gateway/default/b spec.servers[0].tls.credentialName: the Secret empty in default has no certificate with its key (tls.crt and tls.key, or cert and key): the server stays closed",
    ]);
  });

  it("finds servers of Gateways that stay closed: the port speaks something else, or no rule leads connections on", () => {
    const door = (name: string, protocol: string, selector: string) =>
      networking(
        "Gateway",
        name,
        `{selector: ${selector}, servers: [{port: {number: 80, name: a, protocol: ${protocol}}, hosts: ["*"]}]}`,
      );
    const rule = (name: string) =>
      service(name, `{hosts: [${name}.com], gateways: [${name}], tcp: [{route: [{destination: {host: t}}]}]}`);
    expect(
      said(
        declared("t"),
        door("a", "HTTP", "{app: one}"),
        door("b", "TCP", "{app: one}"),
        door("c", "TCP", "{app: two}"),
        door("d", "TCP", "{app: two}"),
        door("e", "HTTP2", "{app: one}"),
        rule("b"),
        rule("c"),
      ),
    ).toEqual([
      "Gateway/default/b spec.servers[0].port.number: port 80 already speaks HTTP, for Gateway default/a: this server stays closed",
      "Gateway/default/d spec.servers[0].port.number: port 80 already speaks TCP, for Gateway default/c: this server stays closed",
      "Gateway/default/d spec.servers[0]: no VirtualService has a tcp route for this server: it stays closed",
    ]);
  });

  it("finds ExternalNames that go round, and namespaces of callers that nobody is in", () => {
    const named = (name: string, other: string) =>
      object("Service", "v1", name, `{type: ExternalName, externalName: ${other}.default.svc.cluster.local}`);
    const policy = (name: string, from: string) =>
      security("AuthorizationPolicy", name, `{rules: [{from: [{source: {${from}}}]}]}`);
    expect(
      said(
        declared("a"),
        named("b", "c"),
        named("c", "a"),
        named("d", "e"),
        named("e", "d"),
        policy("p", "namespaces: [default, gone, 'g*']"),
        policy("q", "notNamespaces: [gone]"),
      ),
    ).toEqual([
      "Service/default/d spec.externalName: leads round in a circle: requests for this host fail",
      "Service/default/e spec.externalName: leads round in a circle: requests for this host fail",
      "AuthorizationPolicy/default/p spec.rules[0].from[0].source.namespaces[1]: there is nothing in namespace gone: no caller of this mesh is of it",
      "AuthorizationPolicy/default/q spec.rules[0].from[0].source.notNamespaces[0]: there is nothing in namespace gone: no caller of this mesh is of it",
    ]);
  });

  it("says which VirtualService is in the shadow of another", () => {
    expect(
      said(
        declared("b"),
        service("a", "{hosts: [h], http: [{route: [{destination: {host: b}}]}]}"),
        service("b", "{hosts: [x.com, h.default.svc.cluster.local], http: [{route: [{destination: {host: b}}]}]}"),
      ),
    ).toEqual([
      "VirtualService/default/b spec.hosts[1]: has no effect on sidecars: VirtualService/default/a routes h.default.svc.cluster.local already, and is older",
    ]);
  });

  it("finds bindings without what they bind; a workload of the name will do for a Service", () => {
    const binding = (name: string) =>
      `{apiVersion: config.istio.io/v1alpha2, kind: QuotaSpecBinding, metadata: {name: ${name}}, spec: {services: [{name: ${name}}], quotaSpecs: [{name: q}]}}\n`;
    expect(said(binding("a"), binding("b"), deployed("b"))).toEqual([
      "QuotaSpecBinding/default/a spec.quotaSpecs[0]: there is no QuotaSpec default/q",
      "QuotaSpecBinding/default/a spec.services[0]: there is no Service a.default.svc.cluster.local",
      "QuotaSpecBinding/default/b spec.quotaSpecs[0]: there is no QuotaSpec default/q",
    ]);
  });

  it("raises no alarm about the demo", async () => {
    const { world, violations } = await loadFiles([fileURLToPath(new URL("../../deploy/demo", import.meta.url))]);
    expect(withoutFollowOns(analyzeWorld(world), violations)).toEqual([]);
    expect(world.list("VirtualService").length).toBeGreaterThan(0);
  });

  it("finds rate limit services that nobody declares", () => {
    const global = "global: {host: limits, domain: a, failure: open}";
    expect(
      said(object("RateLimitPolicy", "policy.scrim.mesh/v1alpha1", "a", `{limits: [{name: a, ${global}}]}`)),
    ).toEqual([
      "RateLimitPolicy/default/a spec.limits[0].global.host: no Service or ServiceEntry declares the host limits.default.svc.cluster.local",
    ]);
  });
});

describe("withoutFollowOns", () => {
  const routes = service("a", "{hosts: [a], gateways: [gw], http: [{route: [{destination: {host: b}}]}]}");
  const told = (...objects: readonly string[]) => {
    const { world, violations } = loadText(mesh(...objects));
    return withoutFollowOns(analyzeWorld(world), violations).map(({ message }) => message);
  };

  it("leaves out what only follows from an object that was refused, and nothing else", () => {
    expect(
      told(routes, networking("Gateway", "gw", "{servers: 1}"), object("Service", "v1", "b", "{ports: 1}")),
    ).toEqual([]);
    expect(told(routes, networking("Gateway", "other", "{servers: 1}"), declared("b"))).toEqual([
      "there is no Gateway default/gw",
    ]);
  });

  it("does not call missing what may stand in a file that cannot be read", () => {
    expect(told(routes, "{")).toEqual([]);
  });
});
