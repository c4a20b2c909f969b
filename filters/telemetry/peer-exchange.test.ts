import type { Host } from "proxy-wasm-host";
import { describe, expect, it } from "vitest";
import { counted, metadataOf, mtls, node, service, start, type Tree } from "./testing.ts";

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
