import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { createHost, createHostRunner, type Host, scenarioProblems, startHost } from "proxy-wasm-host";
import { describe, expect, it } from "vitest";
import { modulePath } from "../module-path.ts";
import { LABELS, METRICS } from "./labels.ts";
import { scenarios } from "./telemetry.scenarios.ts";

const file = (name: string): Buffer => readFileSync(new URL(name, import.meta.url));
const module = file("../build/telemetry.wasm");
const schema = new Ajv2020({ strict: false }).compile(JSON.parse(file("config.schema.json").toString()));

type Tree = Record<string, unknown>;
const node = (workload: string) => ({
  id: `sidecar~10.0.0.1~${workload}-0.default~default.svc.cluster.local`,
  metadata: {
    NAME: `${workload}-0`,
    NAMESPACE: "default",
    WORKLOAD_NAME: workload,
    CLUSTER_ID: "Kubernetes",
    LABELS: { app: workload.split("-")[0], version: workload.split("-")[1] },
  },
});
const service = { scrim: { service: "reviews.default.svc.cluster.local;reviews;default", mesh: "internal" } };
const peerUri = "spiffe://cluster.local/ns/default/sa/productpage";
const mtls = {
  mtls: true,
  uri_san_peer_certificate: peerUri,
  uri_san_local_certificate: "spiffe://cluster.local/ns/default/sa/reviews",
};

function start(
  reporter: string,
  workload: string,
  more: Tree = {},
  options: Partial<Parameters<typeof createHost>[0]> = {},
): Host {
  const own = node(workload);
  return createHost({
    module,
    configuration: JSON.stringify({ reporter, ...more }),
    attributes: { xds: { node: own } } as never,
    ...options,
  });
}

/** Sends one request through; returns the request headers afterwards. */
function send(
  host: Host,
  headers: Record<string, string> = {},
  attributes: Tree = {},
  skipRequest = false,
): (name: string) => string | undefined {
  const stream = host.newStream({
    headers: { ":method": "GET", ":path": "/", ...headers },
    attributes: {
      response: { code: 200, flags: 0, total_size: 300 },
      request: { total_size: 120, duration: 12_000_000 },
      ...attributes,
    } as never,
  });
  if (!skipRequest) stream.sendRequestHeaders();
  const after = Object.fromEntries(
    ["x-envoy-peer-metadata", "x-envoy-peer-metadata-id"].map((name) => [
      name,
      stream.requestHeaders.get(name) as string | undefined,
    ]),
  );
  if (!skipRequest && (attributes["response"] as Tree | undefined)?.["flags"] !== 1 << 14) stream.sendResponseHeaders();
  stream.end();
  return (name) => after[name];
}

/** The label sets of the request counter, with its value. */
function counted(host: Host): Array<Record<string, string>> {
  return host.metrics
    .names("counter")
    .filter((name) => name.startsWith("istio_requests_total;"))
    .map((name) => ({
      ...Object.fromEntries(
        name
          .split(";")
          .slice(1)
          .map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]),
      ),
      count: String(host.metrics.counter(name)),
    }));
}

/** The header a peer of this workload sends. */
function metadataOf(workload: string): string {
  return (
    send(
      start("source", workload),
      {},
      { xds: { cluster_metadata: { filter_metadata: service }, node: node(workload) } },
    )("x-envoy-peer-metadata") ?? ""
  );
}

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

describe("the answer's peer metadata", () => {
  const answer = (
    host: Host,
    attributes: Tree,
    request: Record<string, string>,
    response: Record<string, string>,
  ): ((name: string) => string | undefined) => {
    const stream = host.newStream({
      headers: { ":method": "GET", ":path": "/", ...request },
      attributes: { response: { code: 200, flags: 0 }, ...attributes } as never,
    });
    stream.sendRequestHeaders();
    stream.sendResponseHeaders({ ":status": "200", ...response });
    const after = Object.fromEntries(
      ["x-envoy-peer-metadata", "x-envoy-peer-metadata-id"].map((name) => [
        name,
        stream.responseHeaders?.get(name) as string | undefined,
      ]),
    );
    stream.end();
    return (name) => after[name];
  };
  const reviews = { xds: { node: node("reviews-v1") } };

  it("is given to an authenticated peer that said who it is, and to nobody else", () => {
    const asked = { "x-envoy-peer-metadata": metadataOf("productpage-v1"), "x-envoy-peer-metadata-id": "x" };
    const host = (): Host => start("destination", "reviews-v1");
    expect(answer(host(), { connection: mtls, ...reviews }, asked, {})("x-envoy-peer-metadata-id")).toBe(
      node("reviews-v1").id,
    );
    for (const [connection, request] of [
      [mtls, {}],
      [{}, asked],
    ] as const) {
      const header = answer(host(), { connection, ...reviews }, request, {
        "x-envoy-peer-metadata": "the application's",
        "x-envoy-peer-metadata-id": "the application's",
      });
      expect([header("x-envoy-peer-metadata"), header("x-envoy-peer-metadata-id")]).toEqual([undefined, undefined]);
    }
  });

  it.each<[string, Tree, string]>([
    [
      "an authenticated peer is believed",
      { upstream: { uri_san_peer_certificate: "spiffe://cluster.local/ns/default/sa/reviews" } },
      "reviews-v3",
    ],
    ["one in plaintext is not", {}, "unknown"],
    [
      "the control plane's word on the endpoint comes first",
      {
        upstream: { uri_san_peer_certificate: "spiffe://x/ns/a/sa/b" },
        xds: {
          upstream_host_metadata: {
            filter_metadata: { istio: { workload: "reviews-v2;default;reviews;v2;Kubernetes" } },
          },
        },
      },
      "reviews-v2",
    ],
  ])("%s, and the client never sees it", (_name, attributes, workload) => {
    const host = start("source", "productpage-v1");
    const header = answer(
      host,
      attributes,
      {},
      { "x-envoy-peer-metadata": metadataOf("reviews-v3"), "x-envoy-peer-metadata-id": "x" },
    );
    expect([header("x-envoy-peer-metadata"), header("x-envoy-peer-metadata-id")]).toEqual([undefined, undefined]);
    expect(counted(host)[0]).toMatchObject({ destination_workload: workload, source_workload: "productpage-v1" });
  });
});

describe("trace context", () => {
  it.each(["source", "destination"])("passes as it is (%s)", (reporter) => {
    const host = start(reporter, "reviews-v1");
    const context = {
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      tracestate: "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE",
      baggage: "a=b",
      b3: "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90",
      "x-b3-traceid": "80f198ee56343ba864fe8b2a57d3eff7",
      "x-b3-spanid": "e457b5a2e4d86bd1",
      "x-b3-sampled": "1",
      "x-b3-parentspanid": "05e3ac9a4f6e3b90",
      "x-b3-flags": "0",
      "x-request-id": "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
    };
    const stream = host.newStream({
      headers: { ":method": "GET", ":path": "/", ...context, "x-envoy-peer-metadata": metadataOf("productpage-v1") },
      attributes: { connection: mtls, xds: { cluster_metadata: { filter_metadata: service } } } as never,
    });
    stream.sendRequestHeaders();
    expect(Object.fromEntries(Object.keys(context).map((name) => [name, stream.requestHeaders.get(name)]))).toEqual(
      context,
    );
    stream.sendResponseHeaders({ ":status": "200", traceparent: context.traceparent });
    expect(stream.responseHeaders?.get("traceparent")).toBe(context.traceparent);
    stream.end();
  });
});

describe("connections", () => {
  const database = { scrim: { service: "db.default.svc.cluster.local;db;default", mesh: "internal" } };
  const bytes = (received: number, sent: number): Tree => ({
    request: { total_size: received },
    response: { total_size: sent },
    connection: mtls,
    xds: { node: node("db-v1"), cluster_metadata: { filter_metadata: database } },
  });
  const total = (host: Host, name: string): number =>
    host.metrics
      .names("counter")
      .filter((metric) => metric.startsWith(`${name};`))
      .reduce((sum, metric) => sum + host.metrics.counter(metric), 0);
  const all = (host: Host): number[] =>
    ["opened", "closed"]
      .map((what) => total(host, `istio_tcp_connections_${what}_total`))
      .concat(["received", "sent"].map((what) => total(host, `istio_tcp_${what}_bytes_total`)));

  it("are counted while they are open and when they close, once", () => {
    const host = start("destination", "db-v1", { protocol: "tcp" });
    const [short, long] = [
      host.connect({ attributes: bytes(5, 10) as never }),
      host.connect({ attributes: bytes(100, 200) as never }),
    ];
    expect(all(host)).toEqual([0, 0, 0, 0]);
    short.close();
    expect(all(host)).toEqual([1, 1, 5, 10]);
    host.advance(15_000);
    expect(all(host)).toEqual([2, 1, 105, 210]);
    long.close();
    host.advance(10_000);
    expect(all(host)).toEqual([2, 2, 105, 210]);
    const name =
      host.metrics.names("counter").find((metric) => metric.startsWith("istio_tcp_connections_opened_total")) ?? "";
    expect(name).toContain(";request_protocol=tcp;");
    expect(name).toContain(";connection_security_policy=mutual_tls");
    expect(name).toContain(";destination_service_name=db;");
    expect(name).not.toContain("response_code");
  });

  it("leave no memory behind", () => {
    const host = start("destination", "db-v1", { protocol: "tcp" });
    host.setLogLevel("warn");
    const round = (): void => {
      const open = Array.from({ length: 50 }, () => host.connect({ attributes: bytes(1, 1) as never }));
      host.advance(5_000);
      for (const connection of open) connection.close();
    };
    for (let i = 0; i < 20; i++) round();
    const before = host.memoryBytes();
    for (let i = 0; i < 100; i++) round();
    expect(host.memoryBytes()).toBe(before);
    expect(all(host)).toEqual([6000, 6000, 6000, 6000]);
  }, 60_000);
});

describe("tunnels at the source", () => {
  const through = (host: Host, service: Tree): void => {
    const stream = host.newStream({
      headers: { ":method": "CONNECT", ":authority": "db:5000" },
      attributes: {
        request: { size: 7 },
        response: { code: 200, size: 9, flags: 0 },
        xds: { node: node("web-v1"), cluster_metadata: { filter_metadata: service } },
      } as never,
    });
    stream.sendRequestHeaders();
    expect(stream.requestHeaders.get("x-envoy-peer-metadata")).toBeUndefined();
    stream.sendResponseHeaders();
    stream.end();
  };

  it("are connections, not requests", () => {
    const host = start("source", "web-v1", { metrics: [{ name: "istio_tcp_sent_bytes_total", disabled: true }] });
    for (let i = 0; i < 2; i++) through(host, service);
    const counters = host.metrics
      .names("counter")
      .filter((name) => name.startsWith("istio_"))
      .map((name) => [name.slice(0, name.indexOf(";")), host.metrics.counter(name)]);
    expect(counters).toEqual([
      ["istio_tcp_connections_opened_total", 2],
      ["istio_tcp_connections_closed_total", 2],
      ["istio_tcp_received_bytes_total", 14],
    ]);
    expect(host.metrics.names("counter").find((name) => name.startsWith("istio_tcp"))).toContain(
      ";request_protocol=tcp;response_flags=",
    );
  });

  it("that lead back into the proxy are not counted", () => {
    const host = start("source", "web-v1");
    through(host, {});
    expect(host.metrics.names("counter").filter((name) => name.startsWith("istio_"))).toEqual([]);
  });
});

describe("changed metrics", () => {
  /** As Envoy answers: texts as they are, numbers in eight bytes, and nothing for what cannot be computed. */
  const values: Record<string, Uint8Array | undefined> = {
    "request.host": Buffer.from("a;b"),
    "response.code": new Uint8Array(new BigInt64Array([200n]).buffer),
    "connection.mtls": new Uint8Array([1]),
    nothing: undefined,
  };
  const names = Object.keys(values);
  const foreignFunctions = {
    expr_create: (expression: Uint8Array) =>
      names.includes(Buffer.from(expression).toString())
        ? new Uint8Array(new Uint32Array([names.indexOf(Buffer.from(expression).toString())]).buffer)
        : 1,
    expr_evaluate: (token: Uint8Array) =>
      values[names[new DataView(token.buffer, token.byteOffset).getUint32(0, true)] ?? ""] ?? 1,
  };
  const labelsOf = (host: Host, metric: string): Record<string, string> => {
    const name =
      [...host.metrics.names("counter"), ...host.metrics.names("histogram")].find((one) =>
        one.startsWith(`${metric};`),
      ) ?? "";
    return Object.fromEntries(
      name
        .split(";")
        .slice(1)
        .map((pair) => pair.split("=") as [string, string]),
    );
  };

  it("set, add and leave out labels, for one metric or for all", () => {
    const host = start(
      "source",
      "productpage-v1",
      {
        declaredTags: ["request_host", "code", "secure", "none"],
        metrics: [
          {
            tags: {
              request_host: { value: "request.host" },
              response_flags: { remove: true },
              none: { value: "nothing" },
            },
          },
          {
            name: "istio_requests_total",
            tags: {
              code: { value: "response.code" },
              secure: { value: "connection.mtls" },
              destination_service: { value: "request.host" },
            },
          },
          { name: "istio_request_bytes", disabled: true },
          { name: "istio_tcp_sent_bytes_total", disabled: true },
        ],
      },
      { foreignFunctions },
    );
    send(host, {}, { connection: {} });
    const [requests, duration] = [
      labelsOf(host, "istio_requests_total"),
      labelsOf(host, "istio_request_duration_milliseconds"),
    ];
    expect(requests).toMatchObject({
      request_host: "a_b",
      code: "200",
      secure: "true",
      destination_service: "a_b",
      none: "unknown",
      response_code: "200",
    });
    expect(Object.keys(requests)).not.toContain("response_flags");
    expect(duration).toMatchObject({ request_host: "a_b", destination_service: "unknown" });
    expect(Object.keys(duration)).not.toContain("code");
    expect(labelsOf(host, "istio_request_bytes")).toEqual({});
  });

  it("leave out a label that this proxy's bootstrap does not know, and say so", () => {
    const own = node("a-v1");
    const host = start(
      "source",
      "a-v1",
      { declaredTags: ["request_host"], metrics: [{ tags: { request_host: { value: "request.host" } } }] },
      {
        foreignFunctions,
        attributes: {
          xds: { node: { ...own, metadata: { ...own.metadata, EXTRA_STAT_TAGS: "other,tags" } } },
        } as never,
      },
    );
    send(host);
    expect(Object.keys(labelsOf(host, "istio_requests_total"))).not.toContain("request_host");
    expect(host.logged("warn").join()).toContain(
      "label request_host is left out: this proxy's bootstrap does not declare it",
    );
  });

  it.each<[Tree, string]>([
    [
      { metrics: [{ tags: { request_host: { value: "request.host" } } }] },
      "metrics[0].tags.request_host: label request_host is not among declaredTags",
    ],
    [
      { metrics: [{ tags: { reporter: { value: "no such(" } } }] },
      "metrics[0].tags.reporter.value: Envoy does not understand this expression",
    ],
    [{ metrics: [{ tags: { reporter: {} } }] }, "exactly one of value, remove"],
    [{ metrics: [{ name: "istio_requests" }] }, "metrics[0].name: expected one of istio_requests_total"],
    [{ maxLabelSets: 0 }, "maxLabelSets: expected a whole number from 1 to 100000"],
    [{ protocol: "udp" }, "protocol: expected http or tcp"],
  ])("%j is refused: %s", (more, message) => {
    const result = startHost({
      module,
      configuration: JSON.stringify({ reporter: "source", ...more }),
      foreignFunctions,
    });
    expect(result.kind === "failed" ? result.message : "accepted").toContain(message);
  });
});

describe("bounds", () => {
  it("are as configured, and what exceeds them is counted", () => {
    const host = start("source", "productpage-v1", { maxLabelSets: 3 });
    for (let i = 0; i < 10; i++)
      send(host, i % 2 === 0 ? {} : { "content-type": "application/grpc" }, {
        xds: {
          node: node("productpage-v1"),
          upstream_host_metadata: { filter_metadata: { istio: { workload: `w${i};default;c;v;K` } } },
        },
      });
    expect(counted(host)).toHaveLength(4);
    expect(host.metrics.counter("scrim_telemetry_overflowed_total")).toBe(7);
    expect(host.metrics.names("gauge")).toContain("scrim_telemetry_label_sets");
  });

  it("count what is different when labels are left out, not what was", () => {
    const host = start("source", "productpage-v1", {
      maxLabelSets: 2,
      metrics: [{ tags: { destination_workload: { remove: true } } }],
    });
    const workload = (name: string, service: string): Tree => ({
      xds: {
        node: node("productpage-v1"),
        cluster_metadata: { filter_metadata: { scrim: { service: `${service};${service};default` } } },
        upstream_host_metadata: { filter_metadata: { istio: { workload: `${name};default;c;v;K` } } },
      },
    });
    for (let i = 0; i < 20; i++) send(host, {}, workload(`w${i}`, "a"));
    for (let i = 0; i < 5; i++) send(host, {}, workload(`w${i}`, "b"));
    for (let i = 0; i < 3; i++) send(host, {}, workload(`w${i}`, "c"));
    expect(counted(host).map((set) => [set["destination_service_name"], set["count"]])).toEqual([
      ["a", "20"],
      ["b", "5"],
      ["overflow", "3"],
    ]);
    expect(host.metrics.counter("scrim_telemetry_overflowed_total")).toBe(3);
  });

  it("puts what comes after 2,000 label sets into one", () => {
    const host = start("source", "productpage-v1");
    host.setLogLevel("warn");
    for (let i = 0; i < 2300; i++)
      send(
        host,
        {},
        {
          xds: {
            node: node("productpage-v1"),
            upstream_host_metadata: { filter_metadata: { istio: { workload: `w${i};default;c;v;K` } } },
          },
        },
      );
    const sets = counted(host);
    expect(host.metrics.counter("scrim_telemetry_overflowed_total")).toBe(300);
    expect(sets).toHaveLength(2001);
    expect(sets.at(-1)).toMatchObject({
      reporter: "source",
      source_workload: "productpage-v1",
      destination_workload: "overflow",
      response_code: "overflow",
      count: "300",
    });
    expect(sets[0]).toMatchObject({ destination_workload: "w0", count: "1" });
  }, 60_000);

  it("keeps a bounded number of peers, and needs no more memory after 10,000 requests", () => {
    const host = start("destination", "reviews-v1");
    host.setLogLevel("warn");
    const from = (workload: string): void =>
      void send(
        host,
        { "x-envoy-peer-metadata": metadata.get(workload) ?? "" },
        { connection: mtls, xds: { node: node("reviews-v1") } },
      );
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
      fc.property(
        fc.uint8Array({ maxLength: 60 }),
        fc.nat({ max: valid.length - 1 }),
        fc.nat({ max: 255 }),
        (bytes, at, value) => {
          const broken = Buffer.from(valid);
          broken[at] = value;
          for (const header of [
            Buffer.from(bytes).toString("latin1"),
            Buffer.from(bytes).toString("base64"),
            broken.toString("base64"),
          ]) {
            send(
              host,
              { "x-envoy-peer-metadata": header, "content-type": Buffer.from(bytes).toString("latin1") },
              {
                connection: { mtls: true, uri_san_peer_certificate: bytes },
                response: { code: bytes.length - 30, flags: -1, grpc_status: -5 },
                xds: { cluster_metadata: { filter_metadata: { scrim: { service: bytes } } } },
              },
            );
          }
        },
      ),
      { numRuns: 150 },
    );
    expect(host.failure()).toBeUndefined();
  }, 60_000);
});

describe("configuration", () => {
  it.each<[string, string]>([
    ["{}", "reporter: expected a string"],
    ['{"reporter":"both"}', "reporter: expected source or destination"],
    ['{"reporter":"source","x":1}', "x: unknown field"],
  ])("%s is refused: %s", (configuration, message) => {
    const result = startHost({ module, configuration });
    expect(result.kind === "failed" ? result.message : "accepted").toContain(message);
  });

  it("the example is valid", () => {
    const example = JSON.parse(file("example.json").toString()) as unknown;
    expect(schema(example)).toBe(true);
    expect(startHost({ module, configuration: JSON.stringify(example) }).kind).toBe("started");
  });
});
