import { out } from "./abi/arena";
import { clock_time_get } from "./abi/imports";
import { note } from "./abi/status";

/** Nanoseconds since 1970-01-01 UTC. */
export function wallNanoseconds(): i64 {
  note(clock_time_get(0, 0, out));
  return load<i64>(out);
}

/**
 * Nanoseconds of a clock that never goes back, comparable between the workers of one Envoy. For measuring and for rate
 * limits.
 */
export function monotonicNanoseconds(): i64 {
  note(clock_time_get(1, 0, out));
  return load<i64>(out);
}
