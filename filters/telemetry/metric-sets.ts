// consumes: what distinguishes one label set from another, and how to write its labels
// produces: the ids of its metrics, defined when the set is first seen
// never does: define more sets than were configured, and one more for all that come after
import {
  Bytes,
  BytesMap,
  BytesWriter,
  defineMetric,
  incrementMetric,
  literal,
  MetricType,
  recordMetric,
} from "as-proxy-wasm-sdk";
import { Span, spanOf } from "../policy/bytes";
import { MetricPlans } from "./metric-plan";

const SETS = literal("scrim_telemetry_label_sets");
const OVERFLOWED = literal("scrim_telemetry_overflowed_total");

/** The metrics of every label set seen so far. */
export class MetricSets {
  private readonly known: BytesMap;
  /** Sets by the names of their metrics: streams that differ only in labels that are left out share one. */
  private readonly byNames: BytesMap;
  private readonly names: BytesWriter = new BytesWriter(256);
  private readonly width: i32;
  private ids: StaticArray<u32> = new StaticArray<u32>(0);
  private count: i32 = 0;
  private readonly setsGauge: u32 = defineMetric(MetricType.Gauge, SETS);
  private readonly overflowedMetric: u32 = defineMetric(MetricType.Counter, OVERFLOWED);
  /** The set that takes what comes after the last one, once it is defined; else -1. */
  overflow: i32 = -1;

  constructor(
    private readonly most: i32,
    private readonly plans: MetricPlans,
  ) {
    this.known = new BytesMap(plans.leavesOut ? most * 2 : most + 1);
    this.byNames = new BytesMap(plans.leavesOut ? most + 1 : 1);
    this.width = plans.plans.length;
    this.ids = new StaticArray<u32>(64 * this.width);
  }

  /** Returns the set's number, or -1 when it is new. */
  // @ts-ignore: decorator
  @inline
  find(key: Bytes): i32 {
    return i32(this.known.get(key, u64.MAX_VALUE));
  }

  /** Whether no new set can be had. */
  get full(): bool {
    return this.count >= this.most;
  }

  /** Notes that a stream is counted in the set for all that there is no room for. */
  overflowed(): void {
    incrementMetric(this.overflowedMetric);
  }

  /**
   * Defines the metrics below `applicable` with these standard labels and values of expressions, and returns the set's
   * number: of one that has the very same names, or of a new one; -1 when there is no room for it (`isOverflow`: the
   * set for which there always is).
   */
  define(key: Bytes, labels: Bytes, values: Span[], applicable: i32, isOverflow: bool, scratch: BytesWriter): i32 {
    if (this.plans.leavesOut) {
      this.names.clear();
      for (let i = 0; i < applicable; i++)
        if (!this.plans.plans[i].disabled)
          this.plans.plans[i].writeName(this.names, spanOf(labels.ptr, labels.length), values);
      const same = this.byNames.get(this.names.result, u64.MAX_VALUE);
      if (same != u64.MAX_VALUE) {
        this.known.set(key, same);
        return i32(same);
      }
      if (this.full && !isOverflow) return -1;
    }
    const index = this.reserve();
    for (let i = 0; i < applicable; i++) {
      const plan = this.plans.plans[i];
      if (plan.disabled) continue;
      plan.writeName(scratch.clear(), spanOf(labels.ptr, labels.length), values);
      const histogram = plan.name == "istio_request_duration_milliseconds" || plan.name.endsWith("_bytes");
      this.ids[index * this.width + i] = defineMetric(
        histogram ? MetricType.Histogram : MetricType.Counter,
        scratch.result,
      );
    }
    this.known.set(key, index);
    if (this.plans.leavesOut) this.byNames.set(this.names.result, index);
    incrementMetric(this.setsGauge);
    return index;
  }

  private reserve(): i32 {
    const index = this.count++;
    if ((index + 1) * this.width > this.ids.length) {
      const larger = new StaticArray<u32>(this.ids.length * 2);
      memory.copy(changetype<usize>(larger), changetype<usize>(this.ids), this.ids.length * sizeof<u32>());
      this.ids = larger;
    }
    return index;
  }

  /** Adds to the set's metric, which is a counter; nothing where it is not counted. */
  // @ts-ignore: decorator
  @inline
  add(set: i32, metric: i32, by: i64): void {
    const id = unchecked(this.ids[set * this.width + metric]);
    if (id != 0) incrementMetric(id, by);
  }

  /** Adds a sample to the set's metric, which is a histogram; nothing where it is not counted. */
  // @ts-ignore: decorator
  @inline
  sample(set: i32, metric: i32, value: u64): void {
    const id = unchecked(this.ids[set * this.width + metric]);
    if (id != 0) recordMetric(id, value);
  }
}
