// How Envoy reads Istio's labels out of the names of the telemetry filter's stats, and the buckets of its histograms.

const DURATION_BUCKETS_MS = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
];
/** Of what the rate limit filter counts of each limit, and of `istio_build`, which the telemetry filter sets. */
const OTHER_LABELS = ["limit", "component", "tag"];
/**
 * Istio's name for the tag of a cluster, beside Envoy's own `envoy_cluster_name`: of the one cluster whose stats Istio's
 * proxies always show.
 */
const XDS_CLUSTER_TAG = { tag_name: "cluster_name", regex: "^cluster\\.((xds-grpc)\\.)" };
const SIZE_BUCKETS_BYTES = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

/**
 * Returns Envoy's stats_config. A stat of the telemetry or the rate limit filter is named `istio_requests_total;reporter=source;…;`: one
 * tag for each label takes `;label=value` out of the name (the last one with the closing `;`), so that the bare metric
 * name is left.
 */
export function buildStatsConfig(metricLabels: readonly string[]): Record<string, unknown> {
  return {
    use_all_default_tags: true,
    // Envoy tries an expression that starts with a literal first token only on stats with that token: all others stay
    // cheap.
    stats_tags: [
      XDS_CLUSTER_TAG,
      ...[...new Set([...metricLabels, ...OTHER_LABELS])].map((label) => ({
        tag_name: label,
        regex: labelPattern(label),
      })),
    ],
    histogram_bucket_settings: [
      { match: { contains: "istio_request_duration_milliseconds" }, buckets: DURATION_BUCKETS_MS },
      { match: { contains: "istio_request_bytes" }, buckets: SIZE_BUCKETS_BYTES },
      { match: { contains: "istio_response_bytes" }, buckets: SIZE_BUCKETS_BYTES },
    ],
  };
}

/** Returns the regular expression whose first group is cut out of the name and whose second is the label's value. */
export function labelPattern(label: string): string {
  return `^wasmcustom\\..*?(;${label}=([^;]*)(?:;$)?)`;
}
