import { describe, expect, it } from "vitest";
import type { Cluster } from "./build/envoy.ts";
import { decode, durationFromMs, encode, fromProto3Json, joinAny, packAny, toProto3Json, unpackAny } from "./codec.ts";

const cluster: Cluster = {
  name: "outbound|80|v1|reviews.default.svc.cluster.local",
  type: "EDS",
  connectTimeout: durationFromMs(2500),
  edsClusterConfig: { edsConfig: { ads: {}, resourceApiVersion: "V3" } },
  circuitBreakers: { thresholds: [{ priority: "HIGH", maxConnections: 1024, maxRequests: 0 }] },
  metadata: { filterMetadata: { istio: { services: [{ host: "reviews", port: 80, none: null, yes: true }] } } },
  typedExtensionProtocolOptions: {
    options: packAny("HttpProtocolOptions", {
      explicitHttpConfig: { http2ProtocolOptions: { maxConcurrentStreams: 0 } },
    }),
  },
};

describe("codec", () => {
  it("gives back what it encoded: words, wrappers, structs, durations, packed messages", () => {
    expect(decode("Cluster", encode("Cluster", cluster))).toMatchObject({
      ...cluster,
      circuitBreakers: { thresholds: [{ priority: "HIGH", maxConnections: 1024, maxRequests: 0 }] },
      typedExtensionProtocolOptions: expect.anything(),
    });
    const packed = decode("Cluster", encode("Cluster", cluster)).typedExtensionProtocolOptions?.["options"];
    expect(unpackAny(packed!)).toEqual({
      name: "HttpProtocolOptions",
      message: { explicitHttpConfig: { http2ProtocolOptions: { maxConcurrentStreams: 0 } } },
    });
  });

  it("gives equal bytes for equal content in another order", () => {
    const reordered = {
      metadata: { filterMetadata: { istio: { services: [{ yes: true, none: null, port: 80, host: "reviews" }] } } },
    };
    const { metadata } = cluster;
    expect(encode("Cluster", reordered)).toEqual(encode("Cluster", { metadata }));
  });

  it("joins parts to what their message is as one, and refuses parts that say the same field", () => {
    const [own, shared] = [
      packAny("Cluster", { name: "a" }),
      packAny("Cluster", {
        connectTimeout: { seconds: 1 },
        metadata: { filterMetadata: { scrim: { mesh: "internal" } } },
      }),
    ];
    const whole = {
      name: "a",
      connectTimeout: { seconds: 1 },
      metadata: { filterMetadata: { scrim: { mesh: "internal" } } },
    };
    expect(decode("Cluster", joinAny(own, shared).value)).toEqual(whole);
    expect(unpackAny(joinAny(own, shared))).toEqual({ name: "Cluster", message: whole });
    expect(() => joinAny(own, packAny("Cluster", { name: "b" }))).toThrow("Cluster.name stands in both parts");
    expect(() => joinAny(own, packAny("Listener", { name: "b" }))).toThrow("packed under one name");
  });

  it("writes strict proto3 JSON with every Any expanded", () => {
    expect(toProto3Json("Cluster", cluster)).toMatchObject({
      connectTimeout: "2.500s",
      circuitBreakers: { thresholds: [{ priority: "HIGH", maxConnections: 1024, maxRequests: 0 }] },
      typedExtensionProtocolOptions: {
        options: {
          "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
          explicitHttpConfig: {},
        },
      },
    });
    expect(fromProto3Json("Cluster", toProto3Json("Cluster", cluster))).toMatchObject({ name: cluster.name });
  });

  it.each([
    ["Cluster.nmae: Cluster has no such field", { nmae: "x" }],
    [
      "Cluster.edsClusterConfig.edsConfig.adz: ConfigSource has no such field",
      { edsClusterConfig: { edsConfig: { adz: {} } } },
    ],
    ["Cluster.type: EDZ is not one of STATIC, STRICT_DNS, LOGICAL_DNS, EDS, ORIGINAL_DST", { type: "EDZ" }],
    ["Cluster.connectTimeout: Duration must be an object", { connectTimeout: 5 }],
    ["Cluster.healthChecks: must be an array", { healthChecks: {} }],
    ["Cluster.perConnectionBufferLimitBytes: must be a number", { perConnectionBufferLimitBytes: "1" }],
    ["Cluster.clusterType: type is set already", { type: "EDS", clusterType: {} }],
    [
      "Cluster.typedExtensionProtocolOptions[a].type_url: Any has no such field",
      { typedExtensionProtocolOptions: { a: { type_url: "x" } } },
    ],
  ])("refuses: %s", (message, wrong) => {
    expect(() => encode("Cluster", wrong as never)).toThrow(message);
  });

  it("knows the fields that Envoy 1.40 has for Wasm", () => {
    const json = toProto3Json("Wasm", {
      config: {
        failurePolicy: "FAIL_RELOAD",
        allowOnHeadersStopIteration: true,
        configuration: packAny("StringValue", "{}"),
      },
    });
    expect(json).toEqual({
      config: {
        failurePolicy: "FAIL_RELOAD",
        allowOnHeadersStopIteration: true,
        configuration: { "@type": "type.googleapis.com/google.protobuf.StringValue", value: "{}" },
      },
    });
  });

  it("unpacks an empty message that was packed into another", () => {
    const decoded = decode(
      "TypedExtensionConfig",
      encode("TypedExtensionConfig", { name: "x", typedConfig: packAny("Router", {}) }),
    );
    expect(unpackAny(decoded.typedConfig!)).toEqual({ name: "Router", message: {} });
  });

  it("leaves an Any of a type outside the built API alone", () => {
    expect(unpackAny({ typeUrl: "type.googleapis.com/example.Unknown", value: new Uint8Array() })).toEqual({
      name: undefined,
      typeUrl: "type.googleapis.com/example.Unknown",
    });
  });
});
