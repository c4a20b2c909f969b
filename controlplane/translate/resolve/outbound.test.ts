import { describe, expect, it } from "vitest";
import { resolveOutbound } from "./outbound.ts";
import { worldOf } from "./testing.ts";

const service = (name: string, namespace: string, ports = "{name: http, port: 80}", more = "") => `---
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: ${namespace}${more}}
spec: {selector: {app: ${name}}, ports: [${ports}]}
`;
const rule = (hosts: string, http: string) => `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: r, namespace: client}
spec: {hosts: [${hosts}], http: [${http}]}
`;
const sidecarOf = (spec: string, metadata = "name: s, namespace: client") => `---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {${metadata}}
spec: {${spec}}
`;
const view = (yaml: string, labels = {}) => resolveOutbound(worldOf(yaml), "client", labels);
const hostsIn = (yaml: string, labels = {}) => view(yaml, labels).table.virtualHosts.map(({ name }) => name);
const hostIn = (yaml: string, name: string) => view(yaml).table.virtualHosts.find((host) => host.name === name);

describe("virtual hosts of a client", () => {
  it("go by every spelling the client may use, without a port for port 80 or the only one", () => {
    expect(hostIn(service("a", "client"), "a.client.svc.cluster.local:80")?.domains).toEqual([
      "a.client.svc.cluster.local",
      "a.client.svc.cluster.local:80",
      "a",
      "a:80",
      "a.client",
      "a.client:80",
      "a.client.svc",
      "a.client.svc:80",
    ]);
    expect(hostIn(service("a", "far", "{name: http, port: 8080}"), "a.far.svc.cluster.local:8080")?.domains).toEqual([
      "a.far.svc.cluster.local:8080",
      "a.far:8080",
      "a.far.svc:8080",
      "a.far.svc.cluster.local",
      "a.far.svc.cluster.local:80",
      "a.far",
      "a.far:80",
      "a.far.svc",
      "a.far.svc:80",
    ]);
    expect(
      hostIn(
        service("a", "far", "{name: http, port: 8080}, {name: http-b, port: 8081}"),
        "a.far.svc.cluster.local:8080",
      )?.domains,
    ).toEqual(["a.far.svc.cluster.local:8080", "a.far:8080", "a.far.svc:8080"]);
  });

  it("never share a domain: a full name goes to its host, a shorter spelling to the first", () => {
    const entry = (host: string) =>
      `---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: ${host}, namespace: client}\nspec: {hosts: [${host}], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}\n`;
    const hosts = view(service("a", "far") + entry("a.far")).table.virtualHosts;
    const domains = hosts.flatMap((host) => host.domains);
    expect(new Set(domains).size).toBe(domains.length);
    expect(hosts.find((host) => host.name === "a.far:80")?.domains).toEqual(["a.far", "a.far:80"]);
  });

  it("are of what is exported to the client and within its Sidecar", () => {
    const all =
      service("a", "client") +
      service("b", "far") +
      service("c", "far", undefined, ", annotations: {networking.istio.io/exportTo: '.'}");
    const [a, b] = ["a.client.svc.cluster.local:80", "b.far.svc.cluster.local:80"];
    expect(hostsIn(all)).toEqual([a, b]);
    expect(hostsIn(all + sidecarOf("egress: [{hosts: ['./*']}]"))).toEqual([a]);
    expect(hostsIn(all + sidecarOf("egress: [{hosts: ['*/b.far.svc.cluster.local']}]"))).toEqual([b]);
    expect(hostsIn(all + sidecarOf("egress: [{hosts: ['~/*']}]"))).toEqual([]);
    expect(hostsIn(all + sidecarOf("outboundTrafficPolicy: {mode: REGISTRY_ONLY}"))).toEqual([a, b]);
  });

  it("follow the Sidecar that selects the workload, else the namespace's, else the root namespace's, in which `.` is the client's", () => {
    const all =
      service("a", "client") +
      service("b", "far") +
      sidecarOf("egress: [{hosts: ['./*']}]", "name: d, namespace: istio-system");
    const selecting = sidecarOf("workloadSelector: {labels: {app: x}}, egress: [{hosts: ['far/*']}]");
    expect(hostsIn(all)).toEqual(["a.client.svc.cluster.local:80"]);
    expect(hostsIn(all + selecting, { app: "x" })).toEqual(["b.far.svc.cluster.local:80"]);
    expect(hostsIn(all + selecting, { app: "y" })).toEqual(["a.client.svc.cluster.local:80"]);
  });

  it("let a rule take hosts that are no service on port 80, and a wildcard only the services it is the most specific for", () => {
    const services = service(
      "a",
      "client",
      "{name: http, port: 80}, {name: grpc, port: 7000}, {name: tcp, port: 5000}",
    );
    expect(hostsIn(services + rule("shop.com", "{route: [{destination: {host: a}}]}"))).toEqual([
      "a.client.svc.cluster.local:5000",
      "a.client.svc.cluster.local:7000",
      "a.client.svc.cluster.local:80",
      "shop.com:80",
    ]);
    const wild = hostIn(
      services + rule("'*.svc.cluster.local'", "{name: wild, route: [{destination: {host: a}}]}"),
      "a.client.svc.cluster.local:80",
    );
    expect(wild?.routes.map(({ name }) => name)).toEqual(["wild"]);
  });

  it("are as without a rule when none of its routes is for the client", () => {
    const host = hostIn(
      service("a", "client") + rule("a", "{match: [{sourceLabels: {app: other}}], route: [{destination: {host: b}}]}"),
      "a.client.svc.cluster.local:80",
    );
    expect(host?.routes.map(({ name }) => name)).toEqual(["default"]);
  });

  it("are decided by the router filter as a whole when one match looks at headers, unless the mesh wants native matching", () => {
    const rules = rule(
      "a",
      "{match: [{uri: {prefix: /x}}], route: [{destination: {host: a}}]}, {match: [{headers: {x: {}}}], route: [{destination: {host: a}}]}",
    );
    const native =
      "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata: {mesh: 'engine: native'}\n";
    const decided = (yaml: string) => hostIn(service("a", "client") + yaml, "a.client.svc.cluster.local:80")?.decidedBy;
    expect(decided(rules)).toBe("filter");
    expect(decided(rules.replace("headers: {x: {}}", "queryParams: {x: {}}"))).toBe("native");
    expect(decided(rules + native)).toBe("native");
  });

  it("tunnel what is not HTTP", () => {
    expect(hostIn(service("db", "client", "{port: 5432}"), "db.client.svc.cluster.local:5432")?.connect).toMatchObject({
      kind: "tunnel",
      upstream: { port: 5432 },
    });
    for (const [port, kind] of [
      ["{port: 80}", "sniffed"],
      ["{name: http, port: 80}", "http"],
    ] as const)
      expect(hostIn(service("a", "client", port), "a.client.svc.cluster.local:80")?.connect).toMatchObject({
        kind,
        opaque: { port: 80 },
      });
  });
});

describe("upstreams of a client", () => {
  const names = (yaml: string) =>
    view(yaml)
      .upstreams.map(({ id, discovery }) => `${id.port} ${id.subset} ${id.host} ${discovery.kind}`)
      .sort();

  it("are every port and subset of what it sees, what rules lead to besides, and dead ends for what nobody declared", () => {
    const yaml =
      service("a", "client") +
      service("hidden", "far") +
      sidecarOf("egress: [{hosts: ['./*']}]") +
      rule(
        "a",
        "{match: [{uri: {prefix: /h}}], route: [{destination: {host: hidden.far.svc.cluster.local}}]}, {route: [{destination: {host: nobody}, weight: 1}, {destination: {host: a, subset: gone}, weight: 1}]}",
      );
    expect(names(yaml)).toEqual([
      "80  a.client.svc.cluster.local endpoints",
      "80  hidden.far.svc.cluster.local endpoints",
      "80  nobody.client.svc.cluster.local none",
      "80 gone a.client.svc.cluster.local none",
    ]);
  });

  it("are the same objects for replicas of one workload", () => {
    const world = worldOf(service("a", "client"));
    expect(resolveOutbound(world, "client", { app: "x", v: "1" })).toBe(
      resolveOutbound(world, "client", { v: "1", app: "x" }),
    );
  });
});

describe("hosts that nobody declared", () => {
  it("are forwarded or refused as MeshConfig says, or the Sidecar instead", () => {
    const registryOnly =
      "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\ndata: {mesh: 'outboundTrafficPolicy: {mode: REGISTRY_ONLY}'}\n";
    expect(view("").unknownHosts).toBe("forward");
    expect(view(registryOnly).unknownHosts).toBe("refuse");
    expect(view(registryOnly + sidecarOf("outboundTrafficPolicy: {mode: ALLOW_ANY}")).unknownHosts).toBe("forward");
    expect(view(sidecarOf("outboundTrafficPolicy: {mode: REGISTRY_ONLY}")).unknownHosts).toBe("refuse");
  });
});
