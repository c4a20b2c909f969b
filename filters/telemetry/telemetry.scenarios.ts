// What telemetry counts and which headers it lets pass, as data: the same runs in the Wasm host and on a real Envoy.
import type { Exchange, Scenario } from "proxy-wasm-host";

const module = "telemetry";
const nodeMetadata = {
  NAME: "reviews-v1-0",
  NAMESPACE: "default",
  WORKLOAD_NAME: "reviews-v1",
  CLUSTER_ID: "Kubernetes",
  LABELS: { app: "reviews", version: "v1" },
};
const cluster = {
  metadata: { scrim: { service: "reviews.default.svc.cluster.local;reviews;default", mesh: "internal" } },
  endpointMetadata: { istio: { workload: "reviews-v2;default;reviews;v2;Kubernetes" } },
};
const outside = { metadata: { scrim: { service: "example.com;example.com;default", mesh: "external" } } };
const peer = { identity: "spiffe://cluster.local/ns/default/sa/productpage" };
/** `{"NAMESPACE":"default","WORKLOAD_NAME":"productpage-v1"}` as a protobuf Struct. */
const productpage = "ChYKCU5BTUVTUEFDRRIJGgdkZWZhdWx0CiEKDVdPUktMT0FEX05BTUUSEBoOcHJvZHVjdHBhZ2UtdjE";
const asks = {
  "x-envoy-peer-metadata": productpage,
  "x-envoy-peer-metadata-id": "sidecar~10.0.0.1~productpage-v1-0.default~default.svc.cluster.local",
};
const hidden = { "x-envoy-peer-metadata": null, "x-envoy-peer-metadata-id": null } as const;
const trace = {
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  tracestate: "rojo=00f067aa0ba902b7",
  b3: "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1",
  "x-b3-traceid": "80f198ee56343ba864fe8b2a57d3eff7",
  "x-b3-spanid": "e457b5a2e4d86bd1",
  "x-b3-sampled": "1",
};

/** The labels of one side's workload. */
const workloadLabels = (side: string, version: string): string =>
  `;${side}_workload=reviews-${version};${side}_workload_namespace=default;${side}_app=reviews;` +
  `${side}_version=${version};${side}_canonical_service=reviews;${side}_canonical_revision=${version};` +
  `${side}_cluster=Kubernetes`;
const unknownSource =
  ";source_workload=unknown;source_workload_namespace=unknown;source_app=unknown;source_version=unknown;" +
  "source_canonical_service=unknown;source_canonical_revision=unknown;source_cluster=unknown";
/** The labels that follow those of the workloads. */
const exchangeLabels = (code: number, security: string): string =>
  ";source_principal=unknown;destination_principal=unknown;destination_service=reviews.default.svc.cluster.local;" +
  "destination_service_name=reviews;destination_service_namespace=default;request_protocol=http;" +
  `response_code=${code};grpc_response_status=;response_flags=-;connection_security_policy=${security}`;
const unknownCaller = (code: number): string =>
  `;reporter=destination${workloadLabels("destination", "v1")}${unknownSource}${exchangeLabels(code, "none")}`;
const fewerLabels = unknownCaller(200).replace(";response_flags=-", "").replace(";source_principal=unknown", "");
const fromReviews = `;reporter=source${workloadLabels("source", "v1")}${workloadLabels("destination", "v2")}`;

const destination = (name: string, exchanges: readonly Exchange[], more: Partial<Scenario> = {}): Scenario => ({
  name,
  module,
  nodeMetadata,
  cluster,
  configuration: { reporter: "destination" },
  exchanges,
  ...more,
});
const source = (name: string, exchanges: readonly Exchange[], more: Partial<Scenario> = {}): Scenario => ({
  name,
  module,
  nodeMetadata,
  cluster,
  configuration: { reporter: "source" },
  exchanges,
  ...more,
});

export const scenarios: readonly Scenario[] = [
  destination(
    "callers in plaintext are unknown, whatever they say",
    [
      { headers: asks, expect: { status: 200, headers: hidden, upstream: { headers: hidden } } },
      { upstream: { status: 503 }, expect: { status: 503 } },
    ],
    {
      metrics: {
        [`istio_requests_total${unknownCaller(200)}`]: 1,
        [`istio_requests_total${unknownCaller(503)}`]: 1,
        scrim_telemetry_overflowed_total: 0,
      },
      samples: {
        [`istio_request_duration_milliseconds${unknownCaller(200)}`]: 1,
        [`istio_request_bytes${unknownCaller(200)}`]: 1,
        [`istio_response_bytes${unknownCaller(200)}`]: 1,
      },
      logged: [/counted in label set 0 200/],
    },
  ),
  destination("an authenticated peer that says who it is learns who answers", [
    {
      name: "asked",
      peer,
      headers: asks,
      expect: {
        status: 200,
        headers: { "x-envoy-peer-metadata": /^[A-Za-z0-9+/]{40,}$/, "x-envoy-peer-metadata-id": "scenario-node" },
        upstream: { headers: hidden },
      },
    },
    { name: "not asked", peer, expect: { status: 200, headers: hidden } },
    { name: "the application has no say", peer, upstream: { headers: asks }, expect: { headers: hidden } },
    {
      name: "hostile",
      peer,
      headers: { ...asks, "x-envoy-peer-metadata": "\xff\xff%%%" },
      expect: { status: 200, upstream: { headers: hidden } },
    },
  ]),
  source(
    "peer metadata goes to the mesh, and its answer no further",
    [
      {
        headers: { "x-envoy-peer-metadata": "forged" },
        upstream: { headers: asks },
        expect: {
          status: 200,
          headers: hidden,
          upstream: {
            headers: { "x-envoy-peer-metadata": /^[A-Za-z0-9+/]{40,}$/, "x-envoy-peer-metadata-id": "scenario-node" },
          },
        },
      },
    ],
    {
      metrics: {
        [`istio_requests_total${fromReviews}${exchangeLabels(200, "unknown")}`]: 1,
      },
    },
  ),
  source(
    "peer metadata stays in the mesh",
    [{ headers: asks, expect: { status: 200, upstream: { headers: hidden } } }],
    { cluster: outside },
  ),
  ...[source, destination].map((of, i) =>
    of(`trace context passes as it is, ${i}`, [
      { peer, headers: { ...trace, ...asks }, expect: { status: 200, upstream: { headers: trace } } },
    ]),
  ),
  destination("labels left out, and a metric", [{ expect: { status: 200 } }], {
    configuration: {
      reporter: "destination",
      maxLabelSets: 1,
      metrics: [
        {
          name: "istio_requests_total",
          tags: { response_flags: { remove: true }, source_principal: { remove: true } },
        },
        { name: "istio_request_bytes", disabled: true },
      ],
    },
    metrics: {
      [`istio_requests_total${fewerLabels}`]: 1,
    },
  }),
  destination("labels by expression", [{ expect: { status: 200 } }], {
    configuration: {
      reporter: "destination",
      declaredTags: ["request_host", "code", "nothing"],
      metrics: [
        {
          name: "istio_requests_total",
          tags: {
            request_host: { value: "request.host" },
            code: { value: "response.code" },
            nothing: { value: "request.headers['x-absent']" },
          },
        },
      ],
    },
    metrics: { [`istio_requests_total${unknownCaller(200)};request_host=example.com;code=200;nothing=unknown`]: 1 },
  }),
  {
    name: "an expression Envoy does not understand",
    module,
    configuration: { reporter: "source", metrics: [{ tags: { reporter: { value: "request.(" } } }] },
    refused: /metrics\[0\].tags.reporter.value: Envoy does not understand this expression/,
    exchanges: [],
  },
  {
    name: "a label nobody declared",
    module,
    configuration: { reporter: "source", metrics: [{ tags: { request_host: { value: "request.host" } } }] },
    refused: /label request_host is not among declaredTags/,
    exchanges: [],
  },
];
