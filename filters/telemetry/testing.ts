// What the telemetry filter's tests share.
import { readFileSync } from "node:fs";
import { createHost, type Host } from "proxy-wasm-host";

/** A file of this folder. */
export const file = (name: string): Buffer => readFileSync(new URL(name, import.meta.url));

/** The built filter. */
export const module = file("../build/telemetry.wasm");

/** Attributes as a tree. */
export type Tree = Record<string, unknown>;

/** The node of a workload's proxy. */
export const node = (workload: string) => ({
  id: `sidecar~10.0.0.1~${workload}-0.default~default.svc.cluster.local`,
  metadata: {
    NAME: `${workload}-0`,
    NAMESPACE: "default",
    WORKLOAD_NAME: workload,
    CLUSTER_ID: "Kubernetes",
    LABELS: { app: workload.split("-")[0], version: workload.split("-")[1] },
  },
});

/** Metadata of a cluster in the mesh. */
export const service = { scrim: { service: "reviews.default.svc.cluster.local;reviews;default", mesh: "internal" } };

/** Who calls. */
export const peerUri = "spiffe://cluster.local/ns/default/sa/productpage";

/** A connection of two that know each other. */
export const mtls = {
  mtls: true,
  uri_san_peer_certificate: peerUri,
  uri_san_local_certificate: "spiffe://cluster.local/ns/default/sa/reviews",
};

/** A host with the filter for one side of a workload. */
export function start(
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
export function send(
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
export function counted(host: Host): Array<Record<string, string>> {
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
export function metadataOf(workload: string): string {
  return (
    send(
      start("source", workload),
      {},
      { xds: { cluster_metadata: { filter_metadata: service }, node: node(workload) } },
    )("x-envoy-peer-metadata") ?? ""
  );
}
