import type { AttributeTree, AttributeValue } from "./attributes.ts";

// Envoy 1.40's attributes with their types, for tests to write (source: Envoy's "Attributes" page). What the host
// derives itself (a request's headers, a response's code …) need not be given; a name set to undefined hides what it
// would derive.

/** Bytes where they are not UTF-8. */
type Text = string | Uint8Array;
/** Nanoseconds. */
type Nanoseconds = bigint;
/** A message of metadata: `{ filter_metadata: { namespace: { name: value } } }`. Numbers in it are doubles. */
type Metadata = { readonly filter_metadata?: { readonly [namespace: string]: AttributeValue | undefined } };
type Certificates = {
  readonly tls_version?: Text;
  readonly subject_local_certificate?: Text;
  readonly subject_peer_certificate?: Text;
  readonly dns_san_local_certificate?: Text;
  readonly dns_san_peer_certificate?: Text;
  readonly uri_san_local_certificate?: Text;
  readonly uri_san_peer_certificate?: Text | undefined;
  readonly sha256_peer_certificate_digest?: Text;
};
/** Names this list does not have yet. */
type More = { readonly [name: string]: AttributeValue | undefined };

/** A request as Envoy describes it. Addresses hold the port: `10.0.0.1:5`. Sizes are in bytes. */
export type Attributes = {
  readonly request?: {
    readonly path?: Text;
    readonly url_path?: Text;
    readonly host?: Text;
    readonly scheme?: Text;
    readonly method?: Text;
    readonly headers?: AttributeTree;
    readonly referer?: Text;
    readonly useragent?: Text;
    readonly time?: Nanoseconds;
    readonly id?: Text;
    readonly protocol?: Text;
    readonly query?: Text;
    readonly duration?: Nanoseconds | number;
    readonly size?: number;
    readonly total_size?: number;
  } & More;
  readonly response?: {
    readonly code?: number;
    readonly code_details?: Text;
    readonly flags?: number;
    readonly grpc_status?: number;
    readonly headers?: AttributeTree;
    readonly trailers?: AttributeTree;
    readonly size?: number;
    readonly total_size?: number;
    readonly backend_latency?: Nanoseconds;
  } & More;
  readonly connection?: {
    readonly id?: number;
    readonly mtls?: boolean;
    readonly requested_server_name?: Text;
    readonly termination_details?: Text;
    readonly transport_failure_reason?: Text;
  } & Certificates &
    More;
  readonly upstream?: {
    readonly address?: Text;
    readonly port?: number;
    readonly local_address?: Text;
    readonly transport_failure_reason?: Text;
    readonly request_attempt_count?: number;
  } & Certificates &
    More;
  readonly source?: { readonly address?: Text; readonly port?: number };
  readonly destination?: { readonly address?: Text; readonly port?: number };
  /** Dynamic metadata. */
  readonly metadata?: Metadata | undefined;
  readonly filter_state?: { readonly [name: string]: AttributeValue | undefined };
  readonly upstream_filter_state?: { readonly [name: string]: AttributeValue | undefined };
  readonly connection_id?: number;
  readonly xds?: {
    readonly node?: AttributeTree;
    readonly cluster_name?: Text;
    readonly cluster_metadata?: Metadata;
    readonly listener_direction?: number;
    readonly listener_metadata?: Metadata;
    readonly route_name?: Text;
    readonly route_metadata?: Metadata;
    readonly virtual_host_name?: Text;
    readonly virtual_host_metadata?: Metadata;
    readonly upstream_host_metadata?: Metadata;
    readonly upstream_host_locality_metadata?: Metadata;
    readonly filter_chain_name?: Text;
  } & More;
};
