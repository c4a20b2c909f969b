// From an Envoy's Prometheus page to what health.ts compares.
import type { ProxyCounts } from "./health.ts";

/**
 * The pages' filter: only what is read below, and the counter that the plan names. It is held against Envoy's own
 * names: `rq_xx` on the page is `rq_5xx` there.
 */
export function statsPath(metric: string | undefined): string {
  const names = [
    "downstream_rq_completed",
    "downstream_rq_5xx",
    "downstream_rq_xx",
    "downstream_rq_time",
    "vm_reload_failure",
    "vm_reload_success",
    "vm_reload_backoff",
    ...(metric === undefined ? [] : [metric.replace(/[.]/g, "[._]")]),
  ];
  return `/stats/prometheus?filter=${encodeURIComponent(`(${names.join("|")})`)}`;
}

/**
 * Returns the counts on a page of GET /stats/prometheus, VM failures of the plugin (`<namespace>/<name>`) alone.
 * Envoy's own admin listener is not counted.
 */
export function readCounts(page: string, metric: string | undefined, plugin: string): ProxyCounts {
  const ownVm = `_wasmplugin_${plugin.replace(/\W/g, "_")}_vm_reload_`;
  const latency = new Map<number, number>();
  let [requests, serverErrors, vmFailures, own] = [0, 0, 0, 0];
  let hasMetric = false;
  for (const line of page.split("\n")) {
    const [, name, labels = "", number] = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? ([\d.eE+-]+|NaN)$/.exec(line) ?? [];
    const value = Number(number);
    if (name === undefined || !Number.isFinite(value) || labels.includes('envoy_http_conn_manager_prefix="admin"'))
      continue;
    // Between prefix and name stands what Envoy could not take for a label.
    if (/^envoy_http_.*downstream_rq_completed$/.test(name)) requests += value;
    else if (/^envoy_http_.*downstream_rq_xx$/.test(name) && labels.includes('envoy_response_code_class="5"'))
      serverErrors += value;
    else if (/^envoy_http_.*downstream_rq_time_bucket$/.test(name)) {
      const bound = Number(/le="([^"]+)"/.exec(labels)?.[1]?.replace("+Inf", "Infinity"));
      if (Number.isFinite(bound)) latency.set(bound, (latency.get(bound) ?? 0) + value);
    } else if (/^envoy_wasm_.*vm_reload_(failure|success|backoff)$/.test(name) && name.includes(ownVm))
      vmFailures += value;
    else if (
      metric !== undefined &&
      (name === metric || name === `envoy_${metric}` || name === metric.replace(/\./g, "_"))
    ) {
      own += value;
      hasMetric = true;
    }
  }
  return {
    requests,
    serverErrors,
    vmFailures,
    metric: own,
    hasMetric,
    latency: [...latency].sort(([a], [b]) => a - b).map(([upToMs, count]) => ({ upToMs, count })),
  };
}
