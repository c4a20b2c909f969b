import { Bytes } from "./bytes";
import { propertyPath } from "./literal";

// Paths of Envoy's attributes (https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/advanced/attributes), made when first used.

/** string: downstream address with port. */
// @ts-ignore: decorator
@lazy export const SOURCE_ADDRESS: Bytes = propertyPath("source/address");
/** integer: downstream port. */
// @ts-ignore: decorator
@lazy export const SOURCE_PORT: Bytes = propertyPath("source/port");
/** string: address the downstream connected to, with port. */
// @ts-ignore: decorator
@lazy export const DESTINATION_ADDRESS: Bytes = propertyPath("destination/address");
/** integer: port the downstream connected to. */
// @ts-ignore: decorator
@lazy export const DESTINATION_PORT: Bytes = propertyPath("destination/port");
/** boolean: the downstream connection is TLS and presented a client certificate. */
// @ts-ignore: decorator
@lazy export const CONNECTION_MTLS: Bytes = propertyPath("connection/mtls");
/** string: the first URI SAN of the downstream's certificate. */
// @ts-ignore: decorator
@lazy export const CONNECTION_PEER_URI_SAN: Bytes = propertyPath("connection/uri_san_peer_certificate");
/** string: SNI the downstream asked for. */
// @ts-ignore: decorator
@lazy export const CONNECTION_REQUESTED_SERVER_NAME: Bytes = propertyPath("connection/requested_server_name");
/** integer: the response's status code. */
// @ts-ignore: decorator
@lazy export const RESPONSE_CODE: Bytes = propertyPath("response/code");
/** integer: response flags, a bit set. */
// @ts-ignore: decorator
@lazy export const RESPONSE_FLAGS: Bytes = propertyPath("response/flags");
/** string: response code details. */
// @ts-ignore: decorator
@lazy export const RESPONSE_CODE_DETAILS: Bytes = propertyPath("response/code_details");
/** integer: the response's grpc-status. */
// @ts-ignore: decorator
@lazy export const RESPONSE_GRPC_STATUS: Bytes = propertyPath("response/grpc_status");
/** integer: bytes of the response's body. */
// @ts-ignore: decorator
@lazy export const RESPONSE_SIZE: Bytes = propertyPath("response/size");
/** integer: bytes of the response's body and headers. */
// @ts-ignore: decorator
@lazy export const RESPONSE_TOTAL_SIZE: Bytes = propertyPath("response/total_size");
/** integer: bytes of the request's body. */
// @ts-ignore: decorator
@lazy export const REQUEST_SIZE: Bytes = propertyPath("request/size");
/** integer: bytes of the request's body and headers. */
// @ts-ignore: decorator
@lazy export const REQUEST_TOTAL_SIZE: Bytes = propertyPath("request/total_size");
/** duration, nanoseconds: from the request's first byte to the end of the stream (at log). */
// @ts-ignore: decorator
@lazy export const REQUEST_DURATION: Bytes = propertyPath("request/duration");
/** string: HTTP/1.1, HTTP/2, … */
// @ts-ignore: decorator
@lazy export const REQUEST_PROTOCOL: Bytes = propertyPath("request/protocol");
/** string: address of the upstream host, with port. */
// @ts-ignore: decorator
@lazy export const UPSTREAM_ADDRESS: Bytes = propertyPath("upstream/address");
/** string: the first URI SAN of the upstream's certificate. */
// @ts-ignore: decorator
@lazy export const UPSTREAM_PEER_URI_SAN: Bytes = propertyPath("upstream/uri_san_peer_certificate");
/** string: the chosen cluster. */
// @ts-ignore: decorator
@lazy export const CLUSTER_NAME: Bytes = propertyPath("xds/cluster_name");
/** string: the chosen route. */
// @ts-ignore: decorator
@lazy export const ROUTE_NAME: Bytes = propertyPath("xds/route_name");
