import { describe, expect, it } from "vitest";
import { fileOrigin } from "../../model/origin.ts";
import { packAny, unpackAny } from "../../../protos/codec.ts";
import { createResourceEncoder } from "../../snapshot/encode.ts";
import type { ResourceKind } from "../../snapshot/resources.ts";
import { loadText } from "../../store/load.ts";
import type { DebugConnection, WatchedKind } from "./connection.ts";
import { controlPlaneIdentifier, debugResources } from "./over-ads.ts";
import { debugPage, debugPageNames, type DebugSources } from "./pages.ts";

const MESH = `
apiVersion: v1
kind: Service
metadata: { name: reviews, namespace: shop, labels: { app: reviews } }
spec: { selector: { app: reviews }, ports: [{ name: http, port: 9080 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: reviews-0, namespace: shop, labels: { app: reviews } }
spec: { serviceAccountName: reviews, containers: [{ name: app, ports: [{ containerPort: 9080 }] }] }
status: { podIP: 10.0.0.7, phase: Running, conditions: [{ type: Ready, status: "True" }] }
---
apiVersion: v1
kind: Secret
metadata: { name: tls, namespace: shop }
stringData: { tls.key: very-secret }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: shop }
spec: { hosts: [reviews], http: [{ route: [{ destination: { host: reviews } }] }] }
`;

const wasm = packAny("Wasm", {
  config: { name: "stamp", vmConfig: { code: { local: { inlineBytes: Uint8Array.of(0, 97, 115, 109) } } } },
});
const { world } = loadText(MESH, { file: "/mesh/all.yaml" });
const encoder = createResourceEncoder();

function connection(
  pod: string,
  namespace: string,
  states: Partial<Record<ResourceKind, WatchedKind>> = {},
): DebugConnection {
  const synced: WatchedKind = { watched: [], state: "SYNCED", sent: "v2", acked: "v2" };
  const name = "outbound|9080||reviews.shop.svc.cluster.local";
  const held: Partial<Record<ResourceKind, readonly ReturnType<typeof encoder.encodeResource>[]>> = {
    clusters: [encoder.encodeResource("clusters", name, { name })],
    endpoints: [encoder.encodeResource("endpoints", name, { clusterName: name })],
    routes: ["80", "81", "82"].map((route) =>
      encoder.encodeResource("routes", route, {
        name: route,
        vhds: { configSource: { ads: {} } },
        maxDirectResponseBodySizeBytes: 9,
        ...(route === "81" ? { virtualHosts: [{ name: "own", domains: ["own"] }] } : {}),
      }),
    ),
    virtualHosts: ["80/reviews:80", "81/one", "81/two", "99/none"].map((host) =>
      encoder.encodeResource("virtualHosts", host, {
        name: host,
        domains: ["reviews"],
        typedPerFilterConfig: { router: packAny("Router", {}) },
      }),
    ),
    extensionConfigs: [
      encoder.encodeResource("extensionConfigs", "stamp", { name: "stamp", typedConfig: wasm }),
      encoder.encodeResource("extensionConfigs", "choice", {
        name: "choice",
        typedConfig: packAny("HttpConnectionManager", {
          httpFilters: [
            { name: "stamp", typedConfig: wasm },
            { name: "router", typedConfig: packAny("Router", {}) },
          ],
        }),
      }),
    ],
  };
  return {
    connectionId: `sidecar~10.0.0.7~${pod}.${namespace}~d-3`,
    connectedAtMs: 1_700_000_000_000,
    peerAddress: "10.0.0.7:4444",
    nodeId: `sidecar~10.0.0.7~${pod}.${namespace}~${namespace}.svc.cluster.local`,
    pod,
    namespace,
    envoyVersion: "1.40.0",
    metadata: { LABELS: { app: "reviews" } },
    kinds: new Map(
      Object.entries({ clusters: synced, endpoints: { ...synced, watched: [name] }, ...states }) as [
        ResourceKind,
        WatchedKind,
      ][],
    ),
    held: (kind) => held[kind] ?? [],
  };
}

const two = [
  connection("reviews-0", "shop"),
  connection("till-0", "bank", {
    clusters: {
      watched: [],
      state: "STALE",
      sent: "v2",
      acked: "v1",
      ackedAtMs: 1_700_000_000_250,
      error: "no such cluster",
    },
  }),
];
const sources: DebugSources = {
  world: () => world,
  connections: () => two,
  violations: () => [
    {
      severity: "error",
      origin: fileOrigin("a.yaml"),
      object: "VirtualService/shop/broken",
      field: "spec.http",
      message: "wrong",
      servingLastGood: false,
    },
  ],
  rejections: () => [
    { nodeId: "sidecar~a", rejections: [{ type: "cds", resources: ["x"], message: "no", atMs: 1, blame: "content" }] },
  ],
};

function page(path: string, scope: Parameters<typeof debugPage>[2] = { kind: "mesh" }) {
  const [name = "", query = ""] = path.split("?");
  return debugPage(name, new URLSearchParams(query), scope, sources);
}
const value = (path: string) => {
  const answer = page(path);
  return answer?.status === 200 ? (JSON.parse(JSON.stringify(answer.value)) as unknown) : answer;
};

describe("the debug pages, in Istio's format", () => {
  it("syncz gives what was sent and acknowledged under Istio's names", () => {
    expect(value("syncz")).toMatchObject([
      {
        cluster_id: "Kubernetes",
        proxy: two[0]?.nodeId,
        proxy_type: "sidecar",
        proxy_version: "1.40.0",
        cluster_sent: "v2",
        cluster_acked: "v2",
        endpoint_sent: "v2",
        endpoint_acked: "v2",
      },
      {
        cluster_sent: "v2",
        cluster_acked: "v1",
        resources: {
          "type.googleapis.com/envoy.config.cluster.v3.Cluster": {
            sent: "v2",
            acked: "v1",
            lastError: "no such cluster",
          },
        },
      },
    ]);
    expect(value("syncz?namespace=bank")).toHaveLength(1);
    expect(Object.keys((value("syncz") as object[])[0] ?? {})).not.toContain("route_sent");
  });
  it("adsz names watches by type URL", () => {
    expect(value("adsz?proxyID=reviews-0.shop")).toMatchObject({
      totalClients: 1,
      clients: [
        {
          connectionId: two[0]?.connectionId,
          connectedAt: "2023-11-14T22:13:20.000Z",
          address: "10.0.0.7:4444",
          labels: { app: "reviews" },
          watches: { "type.googleapis.com/envoy.config.cluster.v3.Cluster": [] },
        },
      ],
    });
  });
  it("config_dump has the form of Envoy's own, without endpoints unless asked for", () => {
    const dump = value("config_dump?proxyID=reviews-0.shop") as { configs: Record<string, unknown>[] };
    expect(dump.configs.map((config) => String(config["@type"]).split(".").at(-1))).toEqual([
      "BootstrapConfigDump",
      "ClustersConfigDump",
      "ListenersConfigDump",
      "ScopedRoutesConfigDump",
      "RoutesConfigDump",
      "SecretsConfigDump",
      "EcdsConfigDump",
    ]);
    expect(dump.configs[1]).toMatchObject({
      dynamicActiveClusters: [
        {
          cluster: {
            "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
            name: "outbound|9080||reviews.shop.svc.cluster.local",
          },
        },
      ],
    });
    expect(JSON.stringify(value("config_dump?proxyID=reviews-0.shop&include_eds=true"))).toContain(
      "EndpointsConfigDump",
    );
  });
  it("shows virtual hosts that came one by one inside their routes, as Envoy does", () => {
    const dump = value("config_dump?proxyID=reviews-0.shop") as { configs: Record<string, unknown>[] };
    expect(dump.configs[4]).toMatchObject({
      dynamicRouteConfigs: [
        { routeConfig: { name: "80", virtualHosts: [{ name: "80/reviews:80", domains: ["reviews"] }] } },
        { routeConfig: { name: "81", virtualHosts: [{ name: "own" }, { name: "81/one" }, { name: "81/two" }] } },
        { routeConfig: { name: "82" } },
      ],
    });
  });
  it("edsz and types give the resources alone, Wasm filters as themselves and without their code", () => {
    const endpoints = {
      configs: [
        {
          "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
          clusterName: "outbound|9080||reviews.shop.svc.cluster.local",
        },
      ],
    };
    for (const page of [
      "edsz?proxyID=reviews-0.shop",
      "config_dump?types=EDS&proxyID=reviews-0.shop",
      "config_dump?types=nds,eds,type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment&proxyID=reviews-0.shop",
    ])
      expect(value(page)).toEqual(endpoints);
    const code = Buffer.from("[4 bytes]").toString("base64");
    expect(value("ecdsz?proxyID=reviews-0.shop")).toEqual({
      configs: [
        {
          "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
          config: { name: "stamp", vmConfig: { code: { local: { inlineBytes: code } } } },
        },
        expect.objectContaining({
          "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
          name: "choice",
        }),
      ],
    });
    expect(JSON.stringify(value("ecdsz?proxyID=reviews-0.shop"))).not.toContain(
      Buffer.from([0, 97, 115, 109]).toString("base64"),
    );
    for (const types of ["sds", "none", ","])
      expect(value(`config_dump?proxyID=reviews-0.shop&types=${types}`)).toEqual({});
  });
  it("registryz lists services with Istio's attribute names", () => {
    expect(value("registryz")).toMatchObject([
      {
        Attributes: {
          ServiceRegistry: "Kubernetes",
          Name: "reviews",
          Namespace: "shop",
          LabelSelectors: { app: "reviews" },
        },
        hostname: "reviews.shop.svc.cluster.local",
        ports: [{ name: "http", port: 9080, protocol: "HTTP" }],
        Resolution: 0,
        MeshExternal: false,
      },
    ]);
  });
  it("endpointz lists addresses by host and namespace", () => {
    expect(value("endpointz")).toMatchObject({
      "reviews.shop.svc.cluster.local": {
        shop: {
          Shards: {
            "Kubernetes/Kubernetes": [
              { Addresses: ["10.0.0.7"], EndpointPort: 9080, ServicePortName: "http", Labels: { app: "reviews" } },
            ],
          },
        },
      },
    });
  });
  it("configz lists configuration as Kubernetes objects, and no Secret", () => {
    expect(value("configz")).toMatchObject([
      {
        kind: "VirtualService",
        apiVersion: "networking.istio.io/v1",
        metadata: { name: "reviews", namespace: "shop" },
        spec: { hosts: ["reviews"] },
      },
    ]);
    for (const name of debugPageNames)
      expect(JSON.stringify(value(`${name}?proxyID=reviews-0.shop&include_eds=true`))).not.toContain("very-secret");
  });
  it("push_status gives events by metric", () => {
    expect(value("push_status")).toMatchObject({
      pilot_eds_no_instances: { "outbound|9080||reviews.shop.svc.cluster.local": {} },
      pilot_total_xds_rejects: { "sidecar~a cds x": { proxy: "sidecar~a", message: "no" } },
      pilot_invalid_objects: { "VirtualService/shop/broken spec.http": { message: "wrong" } },
    });
  });
  it("says what is wrong with the question", () => {
    expect(page("config_dump")).toMatchObject({ status: 400 });
    expect(page("config_dump?proxyID=nobody.shop")).toMatchObject({ status: 404 });
    expect(page("toString")).toBeUndefined();
  });
});

describe("across namespaces", () => {
  const bank = { kind: "namespace", namespace: "bank" } as const;
  it("shows a workload only proxies of its own namespace", () => {
    expect(page("syncz", bank)).toMatchObject({ value: [{ proxy: two[1]?.nodeId }] });
    expect(page("config_dump?proxyID=reviews-0.shop", bank)).toMatchObject({ status: 404 });
    expect(page("adsz?proxyID=sidecar~10.0.0.7", bank)).toMatchObject({ value: { totalClients: 1 } });
  });
  it("lets no query name, widen or hide a namespace", () => {
    for (const path of [
      "config_dump?proxyID=../bank/../shop",
      "edsz?proxyID=reviews-0.shop%00",
      "config_dump?proxyID=reviews-0.shop&proxyID=till-0.bank",
      "config_dump?proxyID=reviews-0.shop&types=cds",
      "ecdsz?proxyID=sidecar~10.0.0.7~reviews-0",
    ])
      expect([path, page(path, bank)?.status]).toEqual([path, 404]);
    expect(page("syncz?namespace=shop", bank)).toMatchObject({ status: 200, value: [] });
    expect(page("connections?namespace=shop&proxyID=reviews-0.shop", bank)).toMatchObject({
      value: { totalClients: 1 },
    });
    for (const path of ["__proto__", "constructor", "syncz/../configz", "SYNCZ", "", "debug/syncz"])
      expect([path, page(path, bank)]).toEqual([path, undefined]);
  });
  it.each(["registryz", "configz", "endpointz", "mesh", "push_status"])("refuses %s", (name) =>
    expect(page(name, bank)).toMatchObject({ status: 403 }),
  );
});

describe("the same over ADS", () => {
  const ask = (typeUrl: string, names: readonly string[], namespace = "istio-system") =>
    debugResources(typeUrl, names, { kind: "workload", namespace }, sources);

  it("answers istioctl proxy-status with a ClientConfig for each proxy", () => {
    const answer = ask("istio.io/debug/syncz", []);
    if (answer?.kind !== "resources") throw new Error("refused");
    const [first, second] = answer.resources
      .map(({ resource }) => unpackAny(resource))
      .map((any) => (any.name === "ClientConfig" ? any.message : undefined));
    expect(first).toMatchObject({ node: { id: two[0]?.nodeId } });
    expect(JSON.stringify(first)).toContain('"SYNCED"');
    expect(second).toMatchObject({
      genericXdsConfigs: expect.arrayContaining([
        {
          typeUrl: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
          configStatus: "STALE",
          lastUpdated: { seconds: 1_700_000_000, nanos: 250_000_000 },
          errorState: { details: "no such cluster" },
        },
      ]) as object[],
    });
  });
  it("answers the config dump of one proxy with its parts", () => {
    const answer = ask("istio.io/debug/config_dump", ["reviews-0.shop"]);
    expect(answer?.kind === "resources" && answer.resources.map(({ resource }) => resource.typeUrl)).toContain(
      "type.googleapis.com/envoy.admin.v3.ClustersConfigDump",
    );
  });
  it("wraps a page as its bytes", () => {
    const answer = ask("istio.io/debug", ["edsz?proxyID=reviews-0.shop"]);
    if (answer?.kind !== "resources") throw new Error("refused");
    expect(answer.resources[0]).toMatchObject({
      name: "edsz?proxyID=reviews-0.shop",
      resource: { typeUrl: "istio.io/debug" },
    });
    expect(JSON.parse(new TextDecoder().decode(answer.resources[0]?.resource.value))).toMatchObject({
      configs: [{ clusterName: expect.stringContaining("reviews") as string }],
    });
    expect(JSON.parse(controlPlaneIdentifier("scrim-1", "0.1.0"))).toMatchObject({
      Component: "istiod",
      Info: { version: "0.1.0" },
    });
  });
  it("says what is wrong with a question in the words that istioctl looks for", () => {
    const text = (name: string) => {
      const answer = ask("istio.io/debug", [name]);
      return answer?.kind === "resources" ? new TextDecoder().decode(answer.resources[0]?.resource.value) : undefined;
    };
    expect(text("nothing")).toBe("404 page not found\n");
    expect(text("config_dump")).toContain("You must provide a proxyID in the query string");
    expect(text("edsz?proxyID=nobody")).toContain(
      "Proxy not connected to this Pilot instance. It may be connected to another instance.",
    );
    expect(ask("istio.io/debug/config_dump", ["nobody.shop"])).toEqual({ kind: "resources", resources: [] });
  });
  it("gives each node what istioctl tells a proxy by, whatever the node says", () => {
    const hostile = {
      ...connection("odd-0", "shop"),
      metadata: {
        LABELS: { app: 1, version: "v1" },
        ANNOTATIONS: "none",
        NAMESPACE: ["shop"],
        ISTIO_VERSION: 1,
        PROXY_CONFIG: "x",
        CLUSTER_ID: "here",
        DNS_CAPTURE: "perhaps",
      },
    };
    const answer = debugResources(
      "istio.io/connections",
      [],
      { kind: "local" },
      { ...sources, connections: () => [hostile] },
    );
    if (answer?.kind !== "resources") throw new Error("refused");
    const node = unpackAny(answer.resources[0]!.resource);
    expect(node).toMatchObject({
      message: {
        metadata: {
          LABELS: { version: "v1" },
          ANNOTATIONS: {},
          CLUSTER_ID: "here",
          ISTIO_VERSION: "envoy 1.40.0",
          PROXY_CONFIG: {},
        },
      },
    });
    expect(Object.keys((node.name === "Node" && node.message.metadata) || {}).sort()).toEqual([
      "ANNOTATIONS",
      "CLUSTER_ID",
      "ISTIO_VERSION",
      "LABELS",
      "PROXY_CONFIG",
    ]);
  });
  it("refuses a workload what is not its namespace's, and a question without a page", () => {
    expect(ask("istio.io/debug", ["configz"], "shop")).toMatchObject({ kind: "failed", code: "denied" });
    for (const names of [[], ["syncz", "adsz"], [`config_dump?proxyID=reviews-0.shop&types=${"x,".repeat(1_000_000)}`]])
      expect(ask("istio.io/debug", names)).toMatchObject({ kind: "failed", code: "malformed" });
    for (const names of [[], ["a", "b"]])
      expect(ask("istio.io/debug/config_dump", names)).toMatchObject({ kind: "failed", code: "malformed" });
    expect(ask("istio.io/debug/config_dump", ["till-0.bank"], "shop")).toEqual({ kind: "resources", resources: [] });
    expect(ask("envoy.unknown", [])).toBeUndefined();
  });
});
