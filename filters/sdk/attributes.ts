import { Bytes } from "./bytes";
import { propertyPath } from "./literal";

// Paths of Envoy's attributes (https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/advanced/attributes),
// made when first used.
// Messages and maps are read field by field: propertyPath("xds/route_metadata/filter_metadata/<namespace>/<name>"),
// propertyPath("request/headers/<name>"), propertyPath("metadata/filter_metadata/…") for dynamic metadata,
// propertyPath("filter_state/<name>").

/** string: downstream address with port. */
// @ts-ignore: decorator
@lazy
export const SOURCE_ADDRESS: Bytes = propertyPath("source/address");
/** integer: downstream port. */
// @ts-ignore: decorator
@lazy
export const SOURCE_PORT: Bytes = propertyPath("source/port");
/** string: address the downstream connected to, with port. */
// @ts-ignore: decorator
@lazy
export const DESTINATION_ADDRESS: Bytes = propertyPath("destination/address");
/** integer: port the downstream connected to. */
// @ts-ignore: decorator
@lazy
export const DESTINATION_PORT: Bytes = propertyPath("destination/port");
/** boolean: the downstream connection is TLS and presented a client certificate. */
// @ts-ignore: decorator
@lazy
export const CONNECTION_MTLS: Bytes = propertyPath("connection/mtls");
/** string: the first URI SAN of the downstream's certificate. */
// @ts-ignore: decorator
@lazy
export const CONNECTION_PEER_URI_SAN: Bytes = propertyPath("connection/uri_san_peer_certificate");
/** string: SNI the downstream asked for. */
// @ts-ignore: decorator
@lazy
export const CONNECTION_REQUESTED_SERVER_NAME: Bytes = propertyPath("connection/requested_server_name");
/** integer: the response's status code. */
// @ts-ignore: decorator
@lazy
export const RESPONSE_CODE: Bytes = propertyPath("response/code");
/** integer: response flags, a bit set. */
// @ts-ignore: decorator
@lazy
export const RESPONSE_FLAGS: Bytes = propertyPath("response/flags");
/** string: response code details. */
// @ts-ignore: decorator
@lazy
export const RESPONSE_CODE_DETAILS: Bytes = propertyPath("response/code_details");
/** integer: the response's grpc-status. */
// @ts-ignore: decorator
@lazy
export const RESPONSE_GRPC_STATUS: Bytes = propertyPath("response/grpc_status");
/** integer: bytes of the response's body. */
// @ts-ignore: decorator
@lazy
export const RESPONSE_SIZE: Bytes = propertyPath("response/size");
/** integer: bytes of the response's body and headers. */
// @ts-ignore: decorator
@lazy
export const RESPONSE_TOTAL_SIZE: Bytes = propertyPath("response/total_size");
/** integer: bytes of the request's body. */
// @ts-ignore: decorator
@lazy
export const REQUEST_SIZE: Bytes = propertyPath("request/size");
/** integer: bytes of the request's body and headers. */
// @ts-ignore: decorator
@lazy
export const REQUEST_TOTAL_SIZE: Bytes = propertyPath("request/total_size");
/** duration, nanoseconds: from the request's first byte to the end of the stream (at log). */
// @ts-ignore: decorator
@lazy
export const REQUEST_DURATION: Bytes = propertyPath("request/duration");
/** string: HTTP/1.1, HTTP/2, … */
// @ts-ignore: decorator
@lazy
export const REQUEST_PROTOCOL: Bytes = propertyPath("request/protocol");
/** string: address of the upstream host, with port. */
// @ts-ignore: decorator
@lazy
export const UPSTREAM_ADDRESS: Bytes = propertyPath("upstream/address");
/** string: the first URI SAN of the upstream's certificate. */
// @ts-ignore: decorator
@lazy
export const UPSTREAM_PEER_URI_SAN: Bytes = propertyPath("upstream/uri_san_peer_certificate");
/** string: the chosen cluster. */
// @ts-ignore: decorator
@lazy
export const CLUSTER_NAME: Bytes = propertyPath("xds/cluster_name");
/** string: the chosen route. */
// @ts-ignore: decorator
@lazy
export const ROUTE_NAME: Bytes = propertyPath("xds/route_name");
/** string: path with query; while the request's headers are there. */
// @ts-ignore: decorator
@lazy
export const REQUEST_PATH: Bytes = propertyPath("request/path");
/** string: path without query. */
// @ts-ignore: decorator
@lazy
export const REQUEST_URL_PATH: Bytes = propertyPath("request/url_path");
/** string: query without "?", empty if there is none. */
// @ts-ignore: decorator
@lazy
export const REQUEST_QUERY: Bytes = propertyPath("request/query");
/** string: authority. */
// @ts-ignore: decorator
@lazy
export const REQUEST_HOST: Bytes = propertyPath("request/host");
/** string: http or https. */
// @ts-ignore: decorator
@lazy
export const REQUEST_SCHEME: Bytes = propertyPath("request/scheme");
/** string: GET, POST, …. */
// @ts-ignore: decorator
@lazy
export const REQUEST_METHOD: Bytes = propertyPath("request/method");
/** string: the referer header. */
// @ts-ignore: decorator
@lazy
export const REQUEST_REFERER: Bytes = propertyPath("request/referer");
/** string: the user-agent header. */
// @ts-ignore: decorator
@lazy
export const REQUEST_USER_AGENT: Bytes = propertyPath("request/useragent");
/** string: the x-request-id header. */
// @ts-ignore: decorator
@lazy
export const REQUEST_ID: Bytes = propertyPath("request/id");
/** timestamp, nanoseconds since 1970: the request's first byte. */
// @ts-ignore: decorator
@lazy
export const REQUEST_TIME: Bytes = propertyPath("request/time");
/** duration, nanoseconds: from the last byte sent upstream to the first byte back. */
// @ts-ignore: decorator
@lazy
export const RESPONSE_BACKEND_LATENCY: Bytes = propertyPath("response/backend_latency");
/** integer: Envoy's number of the downstream connection. */
// @ts-ignore: decorator
@lazy
export const CONNECTION_ID: Bytes = propertyPath("connection/id");
/** string: TLSv1.3, …; absent in plaintext. */
// @ts-ignore: decorator
@lazy
export const CONNECTION_TLS_VERSION: Bytes = propertyPath("connection/tls_version");
/** string: the first URI SAN of the certificate shown to the downstream. */
// @ts-ignore: decorator
@lazy
export const CONNECTION_LOCAL_URI_SAN: Bytes = propertyPath("connection/uri_san_local_certificate");
/** string: the first DNS SAN of the downstream's certificate. */
// @ts-ignore: decorator
@lazy
export const CONNECTION_PEER_DNS_SAN: Bytes = propertyPath("connection/dns_san_peer_certificate");
/** string: the first DNS SAN of the certificate shown to the downstream. */
// @ts-ignore: decorator
@lazy
export const CONNECTION_LOCAL_DNS_SAN: Bytes = propertyPath("connection/dns_san_local_certificate");
/** string: the subject of the downstream's certificate. */
// @ts-ignore: decorator
@lazy
export const CONNECTION_PEER_SUBJECT: Bytes = propertyPath("connection/subject_peer_certificate");
/** string: the subject of the certificate shown to the downstream. */
// @ts-ignore: decorator
@lazy
export const CONNECTION_LOCAL_SUBJECT: Bytes = propertyPath("connection/subject_local_certificate");
/** string: SHA-256 of the downstream's certificate, hexadecimal. */
// @ts-ignore: decorator
@lazy
export const CONNECTION_PEER_DIGEST: Bytes = propertyPath("connection/sha256_peer_certificate_digest");
/** string: why Envoy ended the downstream connection. */
// @ts-ignore: decorator
@lazy
export const CONNECTION_TERMINATION_DETAILS: Bytes = propertyPath("connection/termination_details");
/** string: why the downstream's TLS failed. */
// @ts-ignore: decorator
@lazy
export const CONNECTION_TRANSPORT_FAILURE: Bytes = propertyPath("connection/transport_failure_reason");
/** integer: port of the upstream host. */
// @ts-ignore: decorator
@lazy
export const UPSTREAM_PORT: Bytes = propertyPath("upstream/port");
/** string: Envoy's address towards upstream, with port. */
// @ts-ignore: decorator
@lazy
export const UPSTREAM_LOCAL_ADDRESS: Bytes = propertyPath("upstream/local_address");
/** string: TLSv1.3, …; absent in plaintext. */
// @ts-ignore: decorator
@lazy
export const UPSTREAM_TLS_VERSION: Bytes = propertyPath("upstream/tls_version");
/** string: the first URI SAN of the certificate shown to upstream. */
// @ts-ignore: decorator
@lazy
export const UPSTREAM_LOCAL_URI_SAN: Bytes = propertyPath("upstream/uri_san_local_certificate");
/** string: the first DNS SAN of the upstream's certificate. */
// @ts-ignore: decorator
@lazy
export const UPSTREAM_PEER_DNS_SAN: Bytes = propertyPath("upstream/dns_san_peer_certificate");
/** string: the subject of the upstream's certificate. */
// @ts-ignore: decorator
@lazy
export const UPSTREAM_PEER_SUBJECT: Bytes = propertyPath("upstream/subject_peer_certificate");
/** string: why TLS with upstream failed, empty if it did not. */
// @ts-ignore: decorator
@lazy
export const UPSTREAM_TRANSPORT_FAILURE: Bytes = propertyPath("upstream/transport_failure_reason");
/** integer: how often upstream was tried. */
// @ts-ignore: decorator
@lazy
export const UPSTREAM_ATTEMPTS: Bytes = propertyPath("upstream/request_attempt_count");
/** string: the proxy's id; also readable by roots. */
// @ts-ignore: decorator
@lazy
export const NODE_ID: Bytes = propertyPath("xds/node/id");
/** string: the proxy's cluster; also readable by roots. */
// @ts-ignore: decorator
@lazy
export const NODE_CLUSTER: Bytes = propertyPath("xds/node/cluster");
/** string: the virtual host. */
// @ts-ignore: decorator
@lazy
export const VIRTUAL_HOST_NAME: Bytes = propertyPath("xds/virtual_host_name");
/** string: the filter chain, empty if it has no name. */
// @ts-ignore: decorator
@lazy
export const FILTER_CHAIN_NAME: Bytes = propertyPath("xds/filter_chain_name");
/** integer: 0 unspecified, 1 inbound, 2 outbound. */
// @ts-ignore: decorator
@lazy
export const LISTENER_DIRECTION: Bytes = propertyPath("xds/listener_direction");
/** string: the plugin's name; also readable by roots. */
// @ts-ignore: decorator
@lazy
export const PLUGIN_NAME: Bytes = propertyPath("plugin_name");
/** string: the plugin's root_id; also readable by roots. */
// @ts-ignore: decorator
@lazy
export const PLUGIN_ROOT_ID: Bytes = propertyPath("plugin_root_id");
/** string: the vm_id; also readable by roots. */
// @ts-ignore: decorator
@lazy
export const PLUGIN_VM_ID: Bytes = propertyPath("plugin_vm_id");
