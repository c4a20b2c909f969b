import { createHostRunner, type Host, scenarioProblems } from "proxy-wasm-host";
import { describe, expect, it } from "vitest";
import { modulePath } from "../module-path.ts";
import { LABELS, METRICS } from "./labels.ts";
import { scenarios } from "./telemetry.scenarios.ts";
import { counted, metadataOf, mtls, node, peerUri, send, service, start, type Tree } from "./testing.ts";

describe("scenarios", () => {
  const runner = createHostRunner(modulePath);
  it.each(scenarios.map((scenario) => [scenario.name, scenario] as const))("%s", async (_name, scenario) => {
    expect(scenarioProblems(scenario, await runner.run(scenario))).toEqual([]);
  });
});

describe("at the destination", () => {
  const inbound = (own: string, more: Tree = {}): Tree => ({
    connection: mtls,
    xds: { node: node(own), cluster_metadata: { filter_metadata: service } },
    ...more,
  });

  it("counts under Istio's labels", () => {
    const host = start("destination", "reviews-v1");
    const header = send(
      host,
      { "x-envoy-peer-metadata": metadataOf("productpage-v1"), "x-envoy-peer-metadata-id": "x" },
      inbound("reviews-v1"),
    );
    expect(header("x-envoy-peer-metadata")).toBeUndefined();
    expect(header("x-envoy-peer-metadata-id")).toBeUndefined();
    expect(counted(host)).toEqual([
      {
        reporter: "destination",
        source_workload: "productpage-v1",
        source_workload_namespace: "default",
        source_principal: peerUri,
        source_app: "productpage",
        source_version: "v1",
        source_canonical_service: "productpage",
        source_canonical_revision: "v1",
        source_cluster: "Kubernetes",
        destination_workload: "reviews-v1",
        destination_workload_namespace: "default",
        destination_principal: "spiffe://cluster.local/ns/default/sa/reviews",
        destination_app: "reviews",
        destination_version: "v1",
        destination_canonical_service: "reviews",
        destination_canonical_revision: "v1",
        destination_cluster: "Kubernetes",
        destination_service: "reviews.default.svc.cluster.local",
        destination_service_name: "reviews",
        destination_service_namespace: "default",
        request_protocol: "http",
        response_code: "200",
        grpc_response_status: "",
        response_flags: "-",
        connection_security_policy: "mutual_tls",
        count: "1",
      },
    ]);
    const suffix = host.metrics
      .names("counter")
      .find((name) => name.startsWith("istio_requests_total"))
      ?.slice("istio_requests_total".length);
    expect(host.metrics.histogram(`istio_request_duration_milliseconds${suffix}`)).toEqual([12]);
    expect(host.metrics.histogram(`istio_request_bytes${suffix}`)).toEqual([120]);
    expect(host.metrics.histogram(`istio_response_bytes${suffix}`)).toEqual([300]);
  });

  it("uses every label of the list and no other", () => {
    const host = start("destination", "reviews-v1");
    send(host, {}, inbound("reviews-v1"));
    expect(
      Object.keys(counted(host)[0] ?? {})
        .filter((label) => label !== "count")
        .sort(),
    ).toEqual([...LABELS].sort());
    expect(METRICS).toHaveLength(6);
  });

  it("does not believe metadata without mutual TLS, and removes it all the same", () => {
    const host = start("destination", "reviews-v1");
    const header = send(
      host,
      { "x-envoy-peer-metadata": metadataOf("productpage-v1") },
      inbound("reviews-v1", { connection: {} }),
    );
    expect(header("x-envoy-peer-metadata")).toBeUndefined();
    expect(counted(host)[0]).toMatchObject({
      source_workload: "unknown",
      source_principal: "unknown",
      connection_security_policy: "none",
    });
  });

  it("takes metadata by its bytes, whatever id it claims", () => {
    const host = start("destination", "reviews-v1");
    for (const workload of ["a-v1", "b-v1", "a-v1"])
      send(
        host,
        { "x-envoy-peer-metadata": metadataOf(workload), "x-envoy-peer-metadata-id": "same" },
        inbound("reviews-v1"),
      );
    expect(counted(host).map((one) => [one["source_workload"], one["count"]])).toEqual([
      ["a-v1", "2"],
      ["b-v1", "1"],
    ]);
  });

  it("counts a request that was answered before it came here", () => {
    const host = start("destination", "reviews-v1");
    send(host, {}, inbound("reviews-v1", { response: { code: 403, flags: 0 } }), true);
    expect(counted(host)[0]).toMatchObject({ response_code: "403", source_principal: peerUri });
  });

  it.each<[string, Tree, Record<string, string>, Record<string, string>]>([
    ["no response", { response: { flags: 1 << 14 } }, {}, { response_code: "0", response_flags: "DC" }],
    ["several flags", { response: { code: 503, flags: 0b100010 } }, {}, { response_flags: "UH,UF" }],
    [
      "gRPC",
      { response: { code: 200, grpc_status: 7 } },
      { "content-type": "application/grpc+proto" },
      { request_protocol: "grpc", grpc_response_status: "7" },
    ],
    [
      "gRPC-web is not gRPC",
      { response: { code: 200, grpc_status: 7 } },
      { "content-type": "application/grpc-web" },
      { request_protocol: "http", grpc_response_status: "" },
    ],
    [
      "no service known",
      { xds: { cluster_name: "x" } },
      {},
      { destination_service: "unknown", destination_service_name: "unknown" },
    ],
    [
      "the unknown, passed through",
      { xds: { cluster_name: "PassthroughCluster" } },
      {},
      { destination_service_name: "PassthroughCluster" },
    ],
    [
      "hostile values",
      { xds: { cluster_metadata: { filter_metadata: { scrim: { service: 'a\nb\u0001\u007f;c="d;e' } } } } },
      {},
      { destination_service: "a_b__", destination_service_name: 'c="d' },
    ],
  ])("%s", (_name, attributes, headers, labels) => {
    const host = start("destination", "reviews-v1");
    send(host, headers, { connection: mtls, ...attributes });
    expect(counted(host)[0]).toMatchObject(labels);
  });
});

describe("at the source", () => {
  const outbound = (mesh: string | undefined, more: Tree = {}): Tree => ({
    upstream: {
      uri_san_peer_certificate: "spiffe://cluster.local/ns/default/sa/reviews",
      uri_san_local_certificate: peerUri,
    },
    xds: {
      node: node("productpage-v1"),
      cluster_metadata: { filter_metadata: { scrim: { ...service.scrim, mesh } } },
      upstream_host_metadata: { filter_metadata: { istio: { workload: "reviews-v2;default;reviews;v2;Kubernetes" } } },
    },
    ...more,
  });

  it("counts the destination by its endpoint", () => {
    const host = start("source", "productpage-v1");
    send(host, {}, outbound("internal"));
    expect(counted(host)[0]).toMatchObject({
      reporter: "source",
      source_workload: "productpage-v1",
      source_principal: peerUri,
      destination_workload: "reviews-v2",
      destination_workload_namespace: "default",
      destination_app: "reviews",
      destination_version: "v2",
      destination_canonical_service: "reviews",
      destination_canonical_revision: "v2",
      destination_cluster: "Kubernetes",
      destination_principal: "spiffe://cluster.local/ns/default/sa/reviews",
      connection_security_policy: "unknown",
    });
  });

  it.each<[string | undefined, boolean]>([
    ["internal", true],
    ["external", false],
    [undefined, false],
  ])("metadata to a cluster that is %s: %s", (mesh, sent) => {
    const header = send(
      start("source", "productpage-v1"),
      { "x-envoy-peer-metadata": "forged", "x-envoy-peer-metadata-id": "forged" },
      outbound(mesh),
    );
    expect(header("x-envoy-peer-metadata-id")).toBe(sent ? node("productpage-v1").id : undefined);
    expect(header("x-envoy-peer-metadata") !== undefined && header("x-envoy-peer-metadata") !== "forged").toBe(sent);
  });
});

describe("gRPC messages", () => {
  const grpc = { "content-type": "application/grpc" };
  const messages = (host: Host, name: string): number =>
    host.metrics
      .names("counter")
      .filter((metric) => metric.startsWith(`${name};`))
      .reduce((sum, metric) => sum + host.metrics.counter(metric), 0);

  it("are those that grpc_stats has counted", () => {
    const host = start("source", "productpage-v1");
    for (const count of ["2,3", "1,0"]) send(host, grpc, { filter_state: { "envoy.filters.http.grpc_stats": count } });
    expect([messages(host, "istio_request_messages_total"), messages(host, "istio_response_messages_total")]).toEqual([
      3, 3,
    ]);
  });

  it.each<[string, Tree]>([
    ["nobody counts them", {}],
    ["what stands there is something else", { filter_state: { "envoy.filters.http.grpc_stats": "2;3" } }],
    ["they are no numbers", { filter_state: { "envoy.filters.http.grpc_stats": "-1,x" } }],
  ])("are none where %s", (_name, attributes) => {
    const host = start("source", "productpage-v1");
    send(host, grpc, attributes);
    expect(messages(host, "istio_request_messages_total") + messages(host, "istio_response_messages_total")).toBe(0);
  });

  it("are not defined for HTTP", () => {
    const host = start("source", "productpage-v1");
    send(host, {}, { filter_state: { "envoy.filters.http.grpc_stats": "2,3" } });
    expect(host.metrics.names("counter").filter((metric) => metric.includes("messages"))).toEqual([]);
  });
});
