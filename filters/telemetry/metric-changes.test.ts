import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { type Host, startHost } from "proxy-wasm-host";
import { describe, expect, it } from "vitest";
import { counted, file, metadataOf, module, mtls, node, send, start, type Tree } from "./testing.ts";

const schema = new Ajv2020({ strict: false }).compile(JSON.parse(file("config.schema.json").toString()));

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
