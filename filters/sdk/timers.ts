import { proxy_set_tick_period_milliseconds } from "./abi/imports";
import { note, Status } from "./abi/status";

/**
 * Calls this root's `onTick` every `milliseconds`; 0 stops. Call it from a callback of the root (`onConfigure`,
 * `onVmStart`, `onTick`).
 */
export function setTickPeriod(milliseconds: u32): Status {
  return note(proxy_set_tick_period_milliseconds(milliseconds));
}
