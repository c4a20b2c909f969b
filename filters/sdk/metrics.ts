import { out } from "./abi/arena";
import { proxy_define_metric, proxy_get_metric, proxy_increment_metric, proxy_record_metric } from "./abi/imports";
import { note, Status } from "./abi/status";
import { Bytes } from "./bytes";

/** What kind of stat a metric is. */
export const enum MetricType {
  Counter = 0,
  Gauge = 1,
  Histogram = 2,
}

/**
 * The id of a metric, 0 if the host refused it. Every call makes a new id for the same stat: define once and keep the
 * id. Stats appear as `wasmcustom.<name>`, on the Prometheus page without that prefix.
 */
export function defineMetric(type: MetricType, name: Bytes): u32 {
  return note(proxy_define_metric(type, name.ptr, name.length, out)) == Status.Ok ? load<u32>(out) : 0;
}

/** Adds to a counter (`by` ≥ 0) or gauge. */
export function incrementMetric(id: u32, by: i64 = 1): Status {
  return note(proxy_increment_metric(id, by));
}

/** Sets a gauge, or adds a sample to a histogram. */
export function recordMetric(id: u32, value: u64): Status {
  return note(proxy_record_metric(id, value));
}

/** The value of a counter or gauge, 0 if the host refuses. */
export function readMetric(id: u32): u64 {
  return note(proxy_get_metric(id, out)) == Status.Ok ? load<u64>(out) : 0;
}
