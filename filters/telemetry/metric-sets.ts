// consumes: what distinguishes one label set from another, and how to write its labels
// produces: the ids of its four metrics, defined when the set is first seen
// never does: define more than MOST_SETS sets and one more for all that come after
import { Bytes, BytesMap, BytesWriter, defineMetric, incrementMetric, MetricType, recordMetric } from "as-proxy-wasm-sdk";
import { METRICS } from "./labels";

/** The most label sets of one configured filter. */
export const MOST_SETS: i32 = 2000;

/** The metrics of every label set seen so far. */
export class MetricSets {
  private readonly known: BytesMap = new BytesMap(MOST_SETS);
  private ids: StaticArray<u32> = new StaticArray<u32>(64 * 4);
  private count: i32 = 0;
  /** The set that takes what comes after the last one, once it is defined; else -1. */
  overflow: i32 = -1;

  /** Returns the set's number, or -1 when it is new. */
  // @ts-ignore: decorator
  @inline
  find(key: Bytes): i32 {
    return i32(this.known.get(key, u64.MAX_VALUE));
  }

  /** Whether no new set can be had. */
  get full(): bool {
    return this.count >= MOST_SETS;
  }

  /** Defines the four metrics whose names end with `labels`, and returns the set's number. */
  define(key: Bytes, labels: Bytes, scratch: BytesWriter): i32 {
    const index = this.count++;
    if ((index + 1) * 4 > this.ids.length) {
      const larger = new StaticArray<u32>(this.ids.length * 2);
      memory.copy(changetype<usize>(larger), changetype<usize>(this.ids), this.ids.length * sizeof<u32>());
      this.ids = larger;
    }
    for (let i = 0; i < 4; i++) {
      scratch.clear().text(METRICS[i]).bytes(labels);
      this.ids[index * 4 + i] = defineMetric(i == 0 ? MetricType.Counter : MetricType.Histogram, scratch.result);
    }
    this.known.set(key, index);
    return index;
  }

  /** Counts one request. */
  record(set: i32, durationMs: u64, requestBytes: u64, responseBytes: u64): void {
    const at = set * 4;
    incrementMetric(unchecked(this.ids[at]));
    recordMetric(unchecked(this.ids[at + 1]), durationMs);
    recordMetric(unchecked(this.ids[at + 2]), requestBytes);
    recordMetric(unchecked(this.ids[at + 3]), responseBytes);
  }
}
