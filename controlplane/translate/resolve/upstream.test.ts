import { describe, expect, it } from "vitest";
import type { Upstream } from "../ir/upstream.ts";
import { resolveOutbound } from "./outbound.ts";
import { worldOf } from "./testing.ts";

const pod = (
  name: string,
  ip: string,
  more: {
    readonly labels?: string;
    readonly proxy?: string;
    readonly ready?: string;
    readonly meta?: string;
    readonly ports?: string;
  } = {},
) => `---
apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {app: a${more.labels ?? ""}},
  annotations: {scrim.mesh/proxy: ${more.proxy ?? "sidecar"}}${more.meta ?? ""}}
spec: {serviceAccountName: sa-${name},
  containers: [{name: c, ports: [${more.ports ?? "{name: web, containerPort: 8080}"}]}]}
status: {podIP: ${ip}, phase: Running, conditions: [{type: Ready, status: "${more.ready ?? "True"}"}]}
`;
const service =
  "---\napiVersion: v1\nkind: Service\nmetadata: {name: a}\n" +
  "spec: {selector: {app: a}, ports: [{name: http, port: 80, targetPort: web}]}\n";
const policy = (spec: string) =>
  "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: a}\n" +
  `spec: {host: a, trafficPolicy: {${spec}}}\n`;

function upstreamOf(yaml: string, subset = ""): Upstream {
  const found = resolveOutbound(worldOf(yaml), "default", {}).upstreams.find(
    ({ id }) => id.host === "a.default.svc.cluster.local" && id.subset === subset,
  );
  if (found === undefined) throw new Error("no upstream");
  return found;
}
function addresses(yaml: string, subset = ""): readonly string[] {
  const { discovery } = upstreamOf(yaml, subset);
  return "endpoints" in discovery
    ? discovery.endpoints.map((endpoint) => `${endpoint.address}:${endpoint.port}${endpoint.meshTls ? " mtls" : ""}`)
    : [];
}

describe("addresses behind a service", () => {
  it("are its ready pods, each by its own port of the name, and whether a sidecar answers there", () => {
    expect(
      addresses(
        service +
          pod("b", "10.0.0.2", { ports: "{name: web, containerPort: 9090}" }) +
          pod("a", "10.0.0.1") +
          pod("c", "10.0.0.3", { proxy: "none" }),
      ),
    ).toEqual(["10.0.0.1:8080 mtls", "10.0.0.2:9090 mtls", "10.0.0.3:8080"]);
    expect(addresses(service + pod("a", "10.0.0.1", { ready: "False" }))).toEqual([]);
    expect(addresses(service + pod("a", "10.0.0.1", { meta: ', deletionTimestamp: "2024-01-01T00:00:00Z"' }))).toEqual(
      [],
    );
    expect(addresses(service + pod("a", "10.0.0.1", { ports: "{name: other, containerPort: 1}" }))).toEqual([]);
  });

  it("of a gateway are where the service's port or target port is a Gateway's", () => {
    const gateway = `---
apiVersion: v1
kind: Pod
metadata:
  name: g
  labels: {app: a}
  annotations: {scrim.mesh/proxy: router, scrim.mesh/listen: '[{"port":80,"address":"127.0.0.1:8001","name":"http"},{"port":8081,"address":"127.0.0.1:8002","name":""}]'}
spec: {containers: [{name: c, ports: [{containerPort: 80, name: http}, {containerPort: 8081}]}]}
status: {podIP: 10.0.0.9, phase: Running, conditions: [{type: Ready, status: "True"}]}
`;
    const led = (targetPort: number | string) =>
      addresses(service.replace("targetPort: web", `targetPort: ${targetPort}`) + gateway);
    expect(led(8080)).toEqual(["127.0.0.1:8001"]);
    expect(led("http2")).toEqual(["127.0.0.1:8001"]);
    expect(led(8081)).toEqual(["127.0.0.1:8002"]);
    expect(led(80)).toEqual(["127.0.0.1:8001"]);
  });

  it("that is only a name are those of the service so named, with its ports or the web's", () => {
    const named = (name: string) =>
      `---\napiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {type: ExternalName, externalName: ${name}}\n`;
    const ports = (yaml: string) =>
      resolveOutbound(worldOf(yaml), "default", {})
        .table.virtualHosts.filter(({ name }) => name.startsWith("x."))
        .map(({ name }) => name);
    expect(ports(service + named("a.default.svc.cluster.local"))).toEqual(["x.default.svc.cluster.local:80"]);
    expect(ports(named("example.com"))).toContain("x.default.svc.cluster.local:80");
  });

  it("of a subset are those with its labels", () => {
    const yaml =
      service +
      pod("a", "10.0.0.1", { labels: ", version: v1" }) +
      pod("b", "10.0.0.2", { labels: ", version: v2" }) +
      policy("").replace("trafficPolicy: {}", "subsets: [{name: v2, labels: {version: v2}}]");
    expect(addresses(yaml, "v2")).toEqual(["10.0.0.2:8080 mtls"]);
  });

  it("get plaintext where PeerAuthentication turns mutual TLS off", () => {
    const off =
      "---\napiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: off}\n" +
      "spec: {selector: {matchLabels: {app: a}}, mtls: {mode: STRICT}, " +
      "portLevelMtls: {8080: {mode: DISABLE}}}\n";
    expect(addresses(service + pod("a", "10.0.0.1") + off)).toEqual(["10.0.0.1:8080"]);
  });
});

describe("what is spoken below", () => {
  it("is mesh mTLS by endpoint, for the identities of all pods, ready or not", () => {
    expect(upstreamOf(service + pod("b", "10.0.0.2", { ready: "False" }) + pod("a", "10.0.0.1")).tls).toEqual({
      mode: "auto",
      identities: ["spiffe://cluster.local/ns/default/sa/sa-a", "spiffe://cluster.local/ns/default/sa/sa-b"],
      sni: "outbound_.80_._.a.default.svc.cluster.local",
    });
  });

  it("is what a DestinationRule says, whatever the endpoints are", () => {
    expect(upstreamOf(service + pod("a", "10.0.0.1") + policy("tls: {mode: DISABLE}")).tls).toEqual({ mode: "none" });
    expect(
      upstreamOf(service + pod("a", "10.0.0.1") + policy("tls: {mode: ISTIO_MUTUAL, subjectAltNames: ['spiffe://x']}"))
        .tls,
    ).toMatchObject({ mode: "mesh", identities: ["spiffe://x"] });
    expect(upstreamOf(service + policy("tls: {mode: SIMPLE, sni: b.com, caCertificates: /ca.pem}")).tls).toMatchObject({
      mode: "tls",
      sni: "b.com",
      caFile: "/ca.pem",
    });
  });

  it("is nothing when MeshConfig turns auto mTLS off", () => {
    const off =
      "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio, namespace: istio-system}\n" +
      "data: {mesh: 'enableAutoMtls: false'}\n";
    expect(upstreamOf(service + pod("a", "10.0.0.1") + off).tls).toEqual({ mode: "none" });
  });
});

describe("limits and load balancing", () => {
  it("are Istio's when nobody says anything", () => {
    expect(upstreamOf(service)).toMatchObject({
      loadBalancer: { kind: "leastRequest" },
      limits: { connectTimeoutMs: 10_000 },
    });
    expect(upstreamOf(service).outlier).toBeUndefined();
  });

  it("obey the circuit breaker of the user examples, whose field names Istio never had", () => {
    const yaml =
      service +
      policy(
        "connectionPoolSettings: {http: {http1MaxPendingRequests: 10, " +
          "maxRequestsPerConnection: 1}}, httpCircuitBreaker: {consecutiveErrors: 3, interval: 1s, maxRequests: 10, " +
          "openDuration: 5s, sleepWindow: 5s}",
      );
    expect(upstreamOf(yaml)).toMatchObject({
      limits: { maxPendingRequests: 10, maxRequestsPerConnection: 1, maxRequests: 10 },
      outlier: {
        consecutive5xx: 3,
        intervalMs: 1_000,
        baseEjectionMs: 5_000,
        maxEjectionPercent: 100,
      },
    });
  });

  it("expect its workloads' identities in each trust domain of the mesh", () => {
    const settings = `---
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data: {mesh: '{"trustDomain": "new-td", "trustDomainAliases": ["old-td"]}'}
`;
    expect(upstreamOf(service + pod("a", "10.0.0.1") + settings).tls).toMatchObject({
      identities: ["spiffe://new-td/ns/default/sa/sa-a", "spiffe://old-td/ns/default/sa/sa-a"],
    });
  });

  it("hash by cookie, header, address or query", () => {
    const key = (hash: string) =>
      upstreamOf(service + policy(`loadBalancer: {consistentHash: {${hash}}}`)).loadBalancer;
    expect(key("httpCookie: {name: c, ttl: 60s, attributes: [{name: SameSite, value: Lax}]}")).toEqual({
      kind: "consistentHash",
      key: { kind: "cookie", name: "c", path: "", ttlMs: 60_000, attributes: [{ name: "SameSite", value: "Lax" }] },
      algorithm: "ringHash",
      minimumSize: 1_024,
    });
    expect(key("httpHeaderName: X-User, maglev: {tableSize: 101}")).toEqual({
      kind: "consistentHash",
      key: { kind: "header", name: "x-user" },
      algorithm: "maglev",
      tableSize: 101,
    });
    expect(key("useSourceIp: true, minimumRingSize: 9")).toEqual({
      kind: "consistentHash",
      key: { kind: "sourceIp" },
      algorithm: "ringHash",
      minimumSize: 9,
    });
  });
});
