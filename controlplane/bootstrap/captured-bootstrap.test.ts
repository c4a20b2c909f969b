import { describe, expect, it } from "vitest";
import { buildCapturedBootstrap, buildTokenSecret, type CapturedFacts } from "./captured-bootstrap.ts";

const facts: CapturedFacts = {
  capture: "REDIRECT",
  namespace: "shop",
  workload: "orders-v1",
  serviceAccount: "orders",
  labels: { app: "orders" },
  trustDomain: "cluster.local",
  clusterId: "Kubernetes",
  controlPlane: {
    at: { address: "istiod.istio-system.svc", port: 15012 },
    rootCertificateFile: "/etc/scrim/root-cert.pem",
    serverName: "istiod.istio-system.svc",
  },
  token: { tokenFile: "/var/run/secrets/tokens/istio-token", secretFile: "/etc/scrim/xds-token.json" },
  admin: { pipe: "/var/run/scrim/envoy-admin.sock" },
  ipFamilies: "IPv4",
  metricLabels: ["reporter"],
  extraStatTags: [],
};

describe("buildCapturedBootstrap", () => {
  it("is one text for all pods of a workload: which of them it is says Envoy's command line", () => {
    expect(buildCapturedBootstrap(facts)["node"]).toEqual({
      metadata: {
        NAMESPACE: "shop",
        WORKLOAD_NAME: "orders-v1",
        SERVICE_ACCOUNT: "orders",
        LABELS: { app: "orders" },
        CLUSTER_ID: "Kubernetes",
        MESH_ID: "cluster.local",
        INTERCEPTION_MODE: "REDIRECT",
      },
    });
  });

  it("names the token's files, and asks for them again when the token is replaced", () => {
    expect(JSON.stringify(buildCapturedBootstrap(facts))).toContain(
      '"path_config_source":{"path":"/etc/scrim/xds-token.json",' +
        '"watched_directory":{"path":"/var/run/secrets/tokens"}}',
    );
    expect(buildTokenSecret(facts.token)).toMatchObject({
      resources: [{ name: "xds-token", generic_secret: { secret: { filename: facts.token.tokenFile } } }],
    });
  });

  it("connects from whatever address leads there, to a name, an address or a socket", () => {
    const clusterAt = (at: CapturedFacts["controlPlane"]["at"]) =>
      JSON.stringify(buildCapturedBootstrap({ ...facts, controlPlane: { ...facts.controlPlane, at } }));
    expect(clusterAt(facts.controlPlane.at)).toContain('"type":"STRICT_DNS"');
    expect(clusterAt({ address: "10.0.0.1", port: 15012 })).not.toContain("STRICT_DNS");
    expect(clusterAt({ pipe: "/run/xds.sock" })).toContain('{"pipe":{"path":"/run/xds.sock"');
    expect(clusterAt(facts.controlPlane.at)).not.toContain("upstream_bind_config");
  });

  it.each([
    ["IPv4", ["0.0.0.0 15021", "0.0.0.0 15090", "127.0.0.1 15000"]],
    ["IPv6", [":: 15021", ":: 15090", "::1 15000"]],
  ] as const)("shows readiness and statistics to all, Envoy's pages to its own pod: %s", (ipFamilies, addresses) => {
    const { listeners } = buildCapturedBootstrap({ ...facts, ipFamilies })["static_resources"] as {
      listeners: readonly { address: { socket_address: { address: string; port_value: number } } }[];
    };
    expect(listeners.map(({ address: { socket_address: at } }) => `${at.address} ${at.port_value}`)).toEqual(addresses);
  });

  it("lets nobody but the sidecar's own user change anything: no page but those that show", () => {
    const text = JSON.stringify(buildCapturedBootstrap(facts));
    expect(text).not.toMatch(/quitquitquit|drain_listeners|logging|healthcheck|reset_counters|runtime_modify/);
    expect(text).toContain('"mode":384');
    const paths = [...text.matchAll(/"match":\{"path":"[^"]+","headers":\[\{"name":":method"/g)];
    expect(paths).toHaveLength([...text.matchAll(/"prefix_rewrite"/g)].length);
  });
});
