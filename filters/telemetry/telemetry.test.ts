import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { createHost, type Host, startHost } from "proxy-wasm-host";
import { describe, expect, it } from "vitest";
import { LABELS, METRICS } from "./labels.ts";

const file = (name: string): Buffer => readFileSync(new URL(name, import.meta.url));
const module = file("../build/telemetry.wasm");
const schema = new Ajv2020({ strict: false }).compile(JSON.parse(file("config.schema.json").toString()));

type Tree = Record<string, unknown>;
const node = (workload: string) => ({
  id: `sidecar~10.0.0.1~${workload}-0.default~default.svc.cluster.local`,
  metadata: { NAME: `${workload}-0`, NAMESPACE: "default", WORKLOAD_NAME: workload, CLUSTER_ID: "Kubernetes", LABELS: { app: workload.split("-")[0], version: workload.split("-")[1] } },
});
const service = { scrim: { service: "reviews.default.svc.cluster.local;reviews;default", mesh: "internal" } };
const peerUri = "spiffe://cluster.local/ns/default/sa/productpage";
const mtls = { mtls: true, uri_san_peer_certificate: peerUri, uri_san_local_certificate: "spiffe://cluster.local/ns/default/sa/reviews" };

function start(reporter: string, workload: string, workers = 1): Host {
  const own = node(workload);
  return createHost({ module, configuration: JSON.stringify({ reporter }), workers, attributes: { xds: { node: own } } as never });
}

/** Sends one request through; returns the request headers afterwards. */
function send(host: Host, headers: Record<string, string> = {}, attributes: Tree = {}, skipRequest = false): (name: string) => string | undefined {
  const stream = host.newStream({ headers: { ":method": "GET", ":path": "/", ...headers }, attributes: { response: { code: 200, flags: 0, total_size: 300 }, request: { total_size: 120, duration: 12_000_000 }, ...attributes } as never });
  if (!skipRequest) stream.sendRequestHeaders();
  const after = Object.fromEntries(["x-envoy-peer-metadata", "x-envoy-peer-metadata-id"].map((name) => [name, stream.requestHeaders.get(name) as string | undefined]));
  if (!skipRequest && (attributes["response"] as Tree | undefined)?.["flags"] !== 1 << 14) stream.sendResponseHeaders();
  stream.end();
  return (name) => after[name];
}

/** The label sets of the request counter, with its value. */
function counted(host: Host): Array<Record<string, string>> {
  return host.metrics.names("counter").filter((name) => name.startsWith("istio_requests_total;")).map((name) => ({
    ...Object.fromEntries(name.split(";").slice(1).map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)])),
    count: String(host.metrics.counter(name)),
  }));
}

/** The header a peer of this workload sends. */
function metadataOf(workload: string): string {
  return send(start("source", workload), {}, { xds: { cluster_metadata: { filter_metadata: service }, node: node(workload) } })("x-envoy-peer-metadata") ?? "";
}

describe("at the destination", () => {
  const inbound = (own: string, more: Tree = {}): Tree => ({ connection: mtls, xds: { node: node(own), cluster_metadata: { filter_metadata: service } }, ...more });

  it("counts under Istio's labels", () => {
    const host = start("destination", "reviews-v1");
    const header = send(host, { "x-envoy-peer-metadata": metadataOf("productpage-v1"), "x-envoy-peer-metadata-id": "x" }, inbound("reviews-v1"));
    expect(header("x-envoy-peer-metadata")).toBeUndefined();
    expect(header("x-envoy-peer-metadata-id")).toBeUndefined();
    expect(counted(host)).toEqual([{
      reporter: "destination", source_workload: "productpage-v1", source_workload_namespace: "default", source_principal: peerUri, source_app: "productpage", source_version: "v1",
      source_canonical_service: "productpage", source_canonical_revision: "v1", source_cluster: "Kubernetes", destination_workload: "reviews-v1", destination_workload_namespace: "default",
      destination_principal: "spiffe://cluster.local/ns/default/sa/reviews", destination_app: "reviews", destination_version: "v1", destination_canonical_service: "reviews",
      destination_canonical_revision: "v1", destination_cluster: "Kubernetes", destination_service: "reviews.default.svc.cluster.local", destination_service_name: "reviews",
      destination_service_namespace: "default", request_protocol: "http", response_code: "200", grpc_response_status: "", response_flags: "-", connection_security_policy: "mutual_tls", count: "1",
    }]);
    const suffix = host.metrics.names("counter").find((name) => name.startsWith("istio_requests_total"))?.slice("istio_requests_total".length);
    expect(host.metrics.histogram(`istio_request_duration_milliseconds${suffix}`)).toEqual([12]);
    expect(host.metrics.histogram(`istio_request_bytes${suffix}`)).toEqual([120]);
    expect(host.metrics.histogram(`istio_response_bytes${suffix}`)).toEqual([300]);
  });

  it("uses every label of the list and no other", () => {
    const host = start("destination", "reviews-v1");
    send(host, {}, inbound("reviews-v1"));
    expect(Object.keys(counted(host)[0] ?? {}).filter((label) => label !== "count").sort()).toEqual([...LABELS].sort());
    expect(METRICS).toHaveLength(4);
  });

  it("does not believe metadata without mutual TLS, and removes it all the same", () => {
    const host = start("destination", "reviews-v1");
    const header = send(host, { "x-envoy-peer-metadata": metadataOf("productpage-v1") }, inbound("reviews-v1", { connection: {} }));
    expect(header("x-envoy-peer-metadata")).toBeUndefined();
    expect(counted(host)[0]).toMatchObject({ source_workload: "unknown", source_principal: "unknown", connection_security_policy: "none" });
  });

  it("takes metadata by its bytes, whatever id it claims", () => {
    const host = start("destination", "reviews-v1");
    for (const workload of ["a-v1", "b-v1", "a-v1"]) send(host, { "x-envoy-peer-metadata": metadataOf(workload), "x-envoy-peer-metadata-id": "same" }, inbound("reviews-v1"));
    expect(counted(host).map((one) => [one["source_workload"], one["count"]])).toEqual([["a-v1", "2"], ["b-v1", "1"]]);
  });

  it("counts a request that was answered before it came here", () => {
    const host = start("destination", "reviews-v1");
    send(host, {}, inbound("reviews-v1", { response: { code: 403, flags: 0 } }), true);
    expect(counted(host)[0]).toMatchObject({ response_code: "403", source_principal: peerUri });
  });

  it.each<[string, Tree, Record<string, string>, Record<string, string>]>([
    ["no response", { response: { flags: 1 << 14 } }, {}, { response_code: "0", response_flags: "DC" }],
    ["several flags", { response: { code: 503, flags: 0b100010 } }, {}, { response_flags: "UH,UF" }],
    ["gRPC", { response: { code: 200, grpc_status: 7 } }, { "content-type": "application/grpc+proto" }, { request_protocol: "grpc", grpc_response_status: "7" }],
    ["gRPC-web is not gRPC", { response: { code: 200, grpc_status: 7 } }, { "content-type": "application/grpc-web" }, { request_protocol: "http", grpc_response_status: "" }],
    ["no service known", { xds: { cluster_name: "x" } }, {}, { destination_service: "unknown", destination_service_name: "unknown" }],
    ["the unknown, passed through", { xds: { cluster_name: "PassthroughCluster" } }, {}, { destination_service_name: "PassthroughCluster" }],
    ["hostile values", { xds: { cluster_metadata: { filter_metadata: { scrim: { service: "a\nb\u0001\u007f;c=\"d;e" } } } } }, {}, { destination_service: "a_b__", destination_service_name: 'c="d' }],
  ])("%s", (_name, attributes, headers, labels) => {
    const host = start("destination", "reviews-v1");
    send(host, headers, { connection: mtls, ...attributes });
    expect(counted(host)[0]).toMatchObject(labels);
  });
});

describe("at the source", () => {
  const outbound = (mesh: string | undefined, more: Tree = {}): Tree => ({
    upstream: { uri_san_peer_certificate: "spiffe://cluster.local/ns/default/sa/reviews", uri_san_local_certificate: peerUri },
    xds: { node: node("productpage-v1"), cluster_metadata: { filter_metadata: { scrim: { ...service.scrim, mesh } } }, upstream_host_metadata: { filter_metadata: { istio: { workload: "reviews-v2;default;reviews;v2;Kubernetes" } } } },
    ...more,
  });

  it("counts the destination by its endpoint", () => {
    const host = start("source", "productpage-v1");
    send(host, {}, outbound("internal"));
    expect(counted(host)[0]).toMatchObject({
      reporter: "source", source_workload: "productpage-v1", source_principal: peerUri, destination_workload: "reviews-v2", destination_workload_namespace: "default", destination_app: "reviews",
      destination_version: "v2", destination_canonical_service: "reviews", destination_canonical_revision: "v2", destination_cluster: "Kubernetes",
      destination_principal: "spiffe://cluster.local/ns/default/sa/reviews", connection_security_policy: "unknown",
    });
  });

  it.each<[string | undefined, boolean]>([["internal", true], ["external", false], [undefined, false]])("metadata to a cluster that is %s: %s", (mesh, sent) => {
    const header = send(start("source", "productpage-v1"), { "x-envoy-peer-metadata": "forged", "x-envoy-peer-metadata-id": "forged" }, outbound(mesh));
    expect(header("x-envoy-peer-metadata-id")).toBe(sent ? node("productpage-v1").id : undefined);
    expect(header("x-envoy-peer-metadata") !== undefined && header("x-envoy-peer-metadata") !== "forged").toBe(sent);
  });
});

describe("bounds", () => {
  it("puts what comes after 2,000 label sets into one", () => {
    const host = start("source", "productpage-v1");
    host.setLogLevel("warn");
    for (let i = 0; i < 2300; i++) send(host, {}, { xds: { node: node("productpage-v1"), upstream_host_metadata: { filter_metadata: { istio: { workload: `w${i};default;c;v;K` } } } } });
    const sets = counted(host);
    expect(sets).toHaveLength(2001);
    expect(sets.at(-1)).toMatchObject({ reporter: "source", source_workload: "productpage-v1", destination_workload: "overflow", response_code: "overflow", count: "300" });
    expect(sets[0]).toMatchObject({ destination_workload: "w0", count: "1" });
  }, 60_000);

  it("keeps a bounded number of peers, and needs no more memory after 10,000 requests", () => {
    const host = start("destination", "reviews-v1");
    host.setLogLevel("warn");
    const from = (workload: string): void => void send(host, { "x-envoy-peer-metadata": metadata.get(workload) ?? "" }, { connection: mtls, xds: { node: node("reviews-v1") } });
    const metadata = new Map(Array.from({ length: 700 }, (_, i) => [`p${i}-v1`, metadataOf(`p${i}-v1`)]));
    for (let i = 0; i < 2100; i++) from(`p${i % 700}-v1`);
    const before = host.memoryBytes();
    for (let i = 0; i < 10_000; i++) from(`p${i % 700}-v1`);
    expect(host.memoryBytes()).toBe(before);
    expect(counted(host)).toHaveLength(700);
  }, 120_000);

  it("never traps on hostile metadata and attributes", () => {
    const host = start("destination", "reviews-v1");
    const valid = Buffer.from(metadataOf("productpage-v1"), "base64");
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat({ max: valid.length - 1 }), fc.nat({ max: 255 }), (bytes, at, value) => {
        const broken = Buffer.from(valid);
        broken[at] = value;
        for (const header of [Buffer.from(bytes).toString("latin1"), Buffer.from(bytes).toString("base64"), broken.toString("base64")]) {
          send(host, { "x-envoy-peer-metadata": header, "content-type": Buffer.from(bytes).toString("latin1") }, { connection: { mtls: true, uri_san_peer_certificate: bytes }, response: { code: bytes.length - 30, flags: -1, grpc_status: -5 }, xds: { cluster_metadata: { filter_metadata: { scrim: { service: bytes } } } } });
        }
      }),
      { numRuns: 150 },
    );
    expect(host.failure()).toBeUndefined();
  }, 60_000);
});

describe("configuration", () => {
  it.each<[string, string]>([["{}", "reporter: expected a string"], ['{"reporter":"both"}', "reporter: expected source or destination"], ['{"reporter":"source","x":1}', "x: unknown field"]])("%s is refused: %s", (configuration, message) => {
    const result = startHost({ module, configuration });
    expect(result.ok ? "accepted" : result.reason).toContain(message);
  });

  it("the example is valid", () => {
    const example = JSON.parse(file("example.json").toString()) as unknown;
    expect(schema(example)).toBe(true);
    expect(startHost({ module, configuration: JSON.stringify(example) }).ok).toBe(true);
  });
});
