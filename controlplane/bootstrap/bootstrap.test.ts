import { describe, expect, it } from "vitest";
import { buildBootstrap, nodeId, type NodeFacts } from "./bootstrap.ts";
import { labelPattern } from "./stats.ts";

const facts: NodeFacts = {
  kind: "sidecar",
  podName: "reviews-v1-0-x2b9f",
  namespace: "default",
  workload: "reviews-v1",
  serviceAccount: "bookinfo-reviews",
  labels: { app: "reviews", version: "v1" },
  podIp: "127.10.4.7",
  trustDomain: "cluster.local",
  clusterId: "Kubernetes",
  admin: { address: "127.10.4.7", port: 15000 },
  controlPlane: {
    at: { address: "127.0.0.1", port: 15012 },
    rootCertificateFile: "/state/ca/root-cert.pem",
    serverName: "istiod.istio-system.svc",
  },
  token: "secret",
  version: "0.1.0",
  metricLabels: ["reporter", "response_code"],
};

describe("buildBootstrap", () => {
  it("names the node in Istio's form, with Istio's metadata", () => {
    expect(nodeId(facts)).toBe("sidecar~127.10.4.7~reviews-v1-0-x2b9f.default~default.svc.cluster.local");
    expect(buildBootstrap(facts)["node"]).toMatchObject({
      cluster: "reviews.default",
      metadata: {
        NAME: "reviews-v1-0-x2b9f",
        NAMESPACE: "default",
        SERVICE_ACCOUNT: "bookinfo-reviews",
        WORKLOAD_NAME: "reviews-v1",
        LABELS: { app: "reviews", version: "v1" },
        CLUSTER_ID: "Kubernetes",
        MESH_ID: "cluster.local",
      },
    });
  });

  it("carries the token only when there is one, and only in a secret, which Envoy's admin page does not show", () => {
    const bootstrap = buildBootstrap(facts);
    expect(bootstrap["static_resources"]).toMatchObject({
      secrets: [{ name: "xds-token", generic_secret: { secret: { inline_string: "Bearer secret" } } }],
    });
    expect(JSON.stringify(bootstrap).split("Bearer secret")).toHaveLength(2);
    expect(JSON.stringify(bootstrap)).toContain("credential_injector");
    expect(JSON.stringify(buildBootstrap({ ...facts, token: undefined }))).not.toMatch(/xds-token|credential_injector/);
  });

  it("checks the control plane's certificate by root and name, over TLS 1.3 only", () => {
    const text = JSON.stringify(buildBootstrap(facts));
    expect(text).toContain('"trusted_ca":{"filename":"/state/ca/root-cert.pem"}');
    expect(text).toContain('"matcher":{"exact":"istiod.istio-system.svc"}');
    expect(text).toContain('"tls_minimum_protocol_version":"TLSv1_3"');
  });

  it("connects from the pod's address", () => {
    expect(buildBootstrap(facts)["cluster_manager"]).toEqual({
      upstream_bind_config: { source_address: { address: "127.10.4.7", port_value: 0 } },
    });
  });
});

describe("labelPattern", () => {
  const name = "wasmcustom.istio_requests_total;reporter=source;source_workload=a.b;response_code=200;";
  it.each([
    ["reporter", ";reporter=source", "source"],
    ["source_workload", ";source_workload=a.b", "a.b"],
    ["response_code", ";response_code=200;", "200"],
  ])("cuts %s out of the name", (label, cut, value) => {
    const match = new RegExp(labelPattern(label)).exec(name);
    expect(match?.[1]).toBe(cut);
    expect(match?.[2]).toBe(value);
  });
  it("leaves other stats alone", () => {
    expect(new RegExp(labelPattern("reporter")).test("cluster.x;reporter=source;")).toBe(false);
  });
});
