// Istio's standard metrics and labels (https://istio.io/latest/docs/reference/config/metrics/), readable by Node and by
// AssemblyScript.
// A stat is named `<metric>;<label>=<value>;<label>=<value>…`: for every label the bootstrap needs a stats tag
// { tag_name: <label>, regex: "(;<label>=([^;]*))" }, which cuts the label out of the name; what is left is the
// metric's name.

/** The labels of every metric. */
export const LABELS: string[] = [
  "reporter",
  "source_workload",
  "source_workload_namespace",
  "source_principal",
  "source_app",
  "source_version",
  "source_canonical_service",
  "source_canonical_revision",
  "source_cluster",
  "destination_workload",
  "destination_workload_namespace",
  "destination_principal",
  "destination_app",
  "destination_version",
  "destination_service",
  "destination_service_name",
  "destination_service_namespace",
  "destination_canonical_service",
  "destination_canonical_revision",
  "destination_cluster",
  "request_protocol",
  "response_code",
  "grpc_response_status",
  "response_flags",
  "connection_security_policy",
];

/** What is counted of requests: a counter, three histograms, and for gRPC two counters of messages. */
export const METRICS: string[] = [
  "istio_requests_total",
  "istio_request_duration_milliseconds",
  "istio_request_bytes",
  "istio_response_bytes",
  "istio_request_messages_total",
  "istio_response_messages_total",
];

/** What is counted of connections; all counters. */
export const TCP_METRICS: string[] = [
  "istio_tcp_connections_opened_total",
  "istio_tcp_connections_closed_total",
  "istio_tcp_received_bytes_total",
  "istio_tcp_sent_bytes_total",
];

/** Labels that connections have not. */
export const REQUEST_LABELS: string[] = ["response_code", "grpc_response_status"];
