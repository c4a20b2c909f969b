// What a filter can read of a request, as data: run in the Wasm host and on a real Envoy, which must answer alike.
import { readFileSync } from "node:fs";
import type { Exchange, FilterMetadata, Scenario } from "proxy-wasm-host";
import { buildFixture } from "./testing/build.ts";

/** Builds the module that shows what it is told. */
export async function prepare(): Promise<void> {
  await buildFixture("mirror");
}

const CONNECTION = [
  "source/address",
  "source/port",
  "destination/address",
  "destination/port",
  "connection/mtls",
  "connection/requested_server_name",
  "connection/tls_version",
  "connection/uri_san_peer_certificate",
  "connection/uri_san_local_certificate",
  "connection/dns_san_peer_certificate",
  "connection/dns_san_local_certificate",
  "connection/subject_peer_certificate",
  "connection/subject_local_certificate",
  "connection/transport_failure_reason",
  "connection/termination_details",
  "connection/sha256_peer_certificate_digest_absent",
  "filter_state/test.peer",
  "filter_state/absent",
];
const REQUEST = [
  "request/path",
  "request/url_path",
  "request/query",
  "request/host",
  "request/scheme",
  "request/method",
  "request/referer",
  "request/useragent",
  "request/id",
  "request/protocol",
  "request/size",
  "request/headers/x-a",
  "request/headers/X-A",
  "request/headers/x-absent",
  "request/duration",
  "request/nothing",
  "request",
  "nothing",
  "source",
];
const RESPONSE = [
  "response/code",
  "response/code_details",
  "response/flags",
  "response/grpc_status",
  "response/size",
  "response/headers/x-r",
  "response/trailers/x-t",
  "response/backend_latency_absent",
  "upstream/transport_failure_reason",
  "upstream/uri_san_peer_certificate",
  "upstream/tls_version",
  "upstream/nothing",
  "metadata",
];
const XDS = [
  "xds/node/id",
  "xds/node/cluster",
  "xds/node/metadata/NAME",
  "xds/node/metadata/LABELS/app",
  "xds/node/metadata/NUMBER",
  "xds/cluster_name",
  "xds/cluster_metadata/filter_metadata/scrim/service",
  "xds/route_name",
  "xds/route_metadata",
  "xds/route_metadata/filter_metadata/r/a",
  "xds/virtual_host_name",
  "xds/virtual_host_metadata/filter_metadata/v/list/0",
  "xds/virtual_host_metadata/filter_metadata/v/deep/er",
  "xds/upstream_host_metadata/filter_metadata/istio/workload",
  "xds/listener_direction",
  "xds/listener_metadata/filter_metadata/x",
  "xds/filter_chain_name",
  "xds/nothing",
  "plugin_name",
  "plugin_root_id",
  "plugin_vm_id",
  "node/id",
  "metadata/filter_metadata/envoy.filters.http.jwt_authn/payload/iss",
  "metadata/filter_metadata/envoy.filters.http.jwt_authn/payload/exp",
  "metadata/filter_metadata/envoy.filters.http.jwt_authn/payload/groups/1",
  "metadata/filter_metadata/envoy.filters.http.jwt_authn/payload/admin",
  "metadata/filter_metadata/envoy.filters.http.jwt_authn/payload/nothing",
  "metadata/filter_metadata/envoy.filters.http.jwt_authn/payload/realm/roles/0",
];

const JWT: FilterMetadata = {
  "envoy.filters.http.jwt_authn": {
    payload: { iss: "issuer", exp: 1e9, groups: ["a", "b"], admin: true, nothing: null, realm: { roles: ["x"] } },
  },
};
const ORDERS = "spiffe://cluster.local/ns/shop/sa/orders";

const CLAIMS = "claims";

const exchanges: readonly Exchange[] = [
  { name: "plaintext", expect: { status: 200 } },
  {
    name: "another address",
    peer: { address: "10.1.2.3", port: 4711, destination: { address: "10.0.0.9", port: 8080 } },
    expect: { status: 200 },
  },
  {
    name: "IPv6",
    peer: { address: "2001:db8::7", destination: { address: "2001:db8::1", port: 8080 } },
    expect: { status: 200 },
  },
  { name: "forwarded for", headers: { "x-forwarded-for": "1.2.3.4, 5.6.7.8" }, expect: { status: 200 } },
  { name: "forwarded for nonsense", headers: { "x-forwarded-for": "nonsense" }, expect: { status: 200 } },
  { name: "mutual TLS", peer: { identity: ORDERS, address: "10.1.2.3", sni: "orders.test" }, expect: { status: 200 } },
  { name: "TLS without a certificate", peer: { sni: "orders.test" }, expect: { status: 200 } },
  {
    name: "a path with everything",
    path: '/a//b/../c%2Fd"?q=1&r=%20',
    headers: {
      ":authority": "A.Test:8080",
      "x-a": ["1", "", "\xff\x80\x01".slice(0, 2)],
      referer: "r",
      "user-agent": "u",
      "x-request-id": "id-1",
    },
    expect: { status: 200 },
  },
  { name: "a body", method: "POST", body: "hello", expect: { status: 200 } },
  { name: CLAIMS, metadata: JWT, expect: { status: 200 } },
  {
    name: "odd headers",
    headers: {
      "x-empty": "",
      "x-spaces": "a  b\tc",
      cookie: ["a=1", "b=2"],
      via: ["one", "two"],
      "content-type": "text/x",
      accept: ["a", "b"],
      "x-forwarded-proto": "https",
      te: "trailers",
      "x-under_score": "1",
    },
    expect: { status: 200 },
  },
];

/** Which of these does Envoy keep as one entry, joined with a comma? */
const REPEATED = [
  "accept",
  "accept-encoding",
  "accept-language",
  "accept-charset",
  "authorization",
  "cache-control",
  "cookie",
  "origin",
  "pragma",
  "range",
  "if-match",
  "if-none-match",
  "if-modified-since",
  "if-unmodified-since",
  "if-range",
  "access-control-request-method",
  "access-control-request-headers",
  "access-control-request-private-network",
  "referer",
  "from",
  "user-agent",
  "via",
  "date",
  "expect-x",
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-request-id",
  "x-client-trace-id",
  "x-b3-traceid",
  "traceparent",
  "tracestate",
  "baggage",
  "grpc-timeout",
  "grpc-accept-encoding",
  "grpc-encoding",
  "content-encoding",
  "content-type",
  "content-language",
  "x-envoy-original-path",
  "x-envoy-attempt-count",
  "x-envoy-peer-metadata",
  "x-envoy-downstream-service-cluster",
  "x-ot-span-context",
  "x-custom",
  "server",
  "warning",
  "allow",
  "vary",
  "etag",
  "location",
  "grpc-status",
  "grpc-message",
];

const REPEATED_BY_UPSTREAM = [
  "set-cookie",
  "www-authenticate",
  "access-control-allow-origin",
  "access-control-allow-methods",
  "last-modified",
  "age",
  "expires",
  "cache-control",
  "content-encoding",
  "content-type",
  "vary",
  "etag",
  "location",
  "grpc-message",
  "server",
  "via",
  "date",
  "x-custom",
  "warning",
  "allow",
  "grpc-encoding",
  "x-request-id",
  "pragma",
  "x-envoy-overloaded",
  "x-envoy-ratelimited",
  "proxy-status",
  "retry-after",
];

const SURROUNDINGS = {
  nodeMetadata: { NAME: "pod-1", LABELS: { app: "reviews" }, NUMBER: 7 },
  virtualHost: { name: "reviews:80", metadata: { v: { list: ["a", "b"], deep: { er: "x" } } } },
  route: { name: "route-1", metadata: { r: { a: "b" } } },
  cluster: {
    name: "outbound|80||reviews",
    metadata: { scrim: { service: "reviews" } },
    endpointMetadata: { istio: { workload: "reviews-v1" } },
  },
  peerAddressStates: ["test.peer"],
} as const;

const scenario = (name: string, configuration: unknown, more: Partial<Scenario> = {}): Scenario => ({
  name,
  module: "fixtures/mirror-fast",
  configuration,
  ...SURROUNDINGS,
  exchanges,
  ...more,
});

const answered: readonly Exchange[] = [
  { name: "200", upstream: { headers: { "x-r": ["a", "b"] }, body: "hello" }, expect: { status: 200 } },
  { name: "404 after a body", method: "POST", body: ["he", "llo"], upstream: { status: 404 }, expect: { status: 404 } },
  {
    name: "gRPC",
    method: "POST",
    headers: { "content-type": "application/grpc" },
    upstream: { headers: { "grpc-status": "7", "grpc-message": "no" } },
    expect: { status: 200 },
  },
];

// Attributes that need what scenarios do not have: TLS with upstream, certificates with DNS names, connections that
// fail.
const ELSEWHERE = new RegExp(
  [
    "^upstream/(tls_version|.*_(san|subject)_)",
    "^upstream/.*_certificate",
    "dns_san",
    "termination_details",
    "connection/transport_failure_reason",
  ].join("|"),
);
/** The attributes that the SDK has names for. */
const NAMED = [
  ...readFileSync(new URL("attributes.ts", import.meta.url), "utf8").matchAll(/= propertyPath\("([^"]+)"\)/g),
]
  .map((match) => match[1] ?? "")
  .filter((path) => !ELSEWHERE.test(path));

export const scenarios: readonly Scenario[] = [
  scenario("connection attributes", { phase: "request", properties: CONNECTION }),
  scenario("request attributes", { phase: "request", properties: REQUEST, headers: true }),
  scenario(
    "every attribute with a name in the SDK",
    { phase: "log", properties: NAMED },
    {
      exchanges: [
        {
          path: "/a?b",
          headers: { referer: "r", "user-agent": "u", "x-request-id": "i" },
          peer: { identity: ORDERS, sni: "a.test" },
          upstream: { body: "x" },
          expect: { status: 200 },
        },
      ],
      logged: NAMED.map((path) => new RegExp(`^${path}=(?!\\(status)`)),
    },
  ),
  scenario(
    "repeated headers",
    { phase: "request", properties: [], headers: true },
    {
      exchanges: [{ headers: Object.fromEntries(REPEATED.map((name) => [name, ["1", "2"]])), expect: { status: 200 } }],
    },
  ),
  scenario(
    "repeated response headers",
    { phase: "response", properties: [], headers: true },
    {
      comparesLogs: true,
      exchanges: [
        {
          upstream: { headers: Object.fromEntries(REPEATED_BY_UPSTREAM.map((name) => [name, ["1", "2"]])) },
          expect: { status: 200 },
        },
      ],
    },
  ),
  scenario("what the proxy knows", { phase: "request", properties: XDS }),
  scenario(
    "response attributes in the request",
    { phase: "request", properties: RESPONSE },
    { exchanges: exchanges.filter(({ name }) => name !== CLAIMS) },
  ), // of metadata as a whole the order is open
  scenario(
    "attributes in the response",
    { phase: "response", properties: [...RESPONSE, ...REQUEST, ...XDS], headers: true },
    { exchanges: answered, logged: [/response\/code/], comparesLogs: true },
  ),
  scenario(
    "attributes in the log",
    {
      phase: "log",
      properties: [...RESPONSE, ...REQUEST.filter((name) => name !== "request/duration"), ...XDS, ...CONNECTION],
      headers: true,
    },
    { exchanges: answered, logged: [/response\/code/], comparesLogs: true },
  ),
];
