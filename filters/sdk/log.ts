import { out } from "./abi/arena";
import { proxy_get_log_level, proxy_log } from "./abi/imports";
import { note } from "./abi/status";
import { Bytes } from "./bytes";
import { requestSerial } from "./callbacks";

/** Levels, as the host orders them. */
export const enum LogLevel {
  Trace = 0,
  Debug = 1,
  Info = 2,
  Warn = 3,
  Error = 4,
  Critical = 5,
}

let askedIn: u64 = u64.MAX_VALUE;
let least: i32 = i32.MAX_VALUE;

/**
 * Whether Envoy writes messages of `level` (asked of it at most once per callback, and not again for the response and
 * the log of what was just asked for). Ask before building a message: `if (isLogged(LogLevel.Debug)) log(…)`.
 */
export function isLogged(level: LogLevel): bool {
  const now = requestSerial();
  if (askedIn != now) {
    askedIn = now;
    least = note(proxy_get_log_level(out)) == 0 ? load<i32>(out) : i32.MAX_VALUE;
  }
  return least <= level;
}

/** Writes `message` to Envoy's log. */
export function log(level: LogLevel, message: string): void {
  const bytes = Bytes.of(message);
  note(proxy_log(level, bytes.ptr, bytes.length));
}

/** Writes bytes to Envoy's log. */
export function logBytes(level: LogLevel, message: Bytes): void {
  note(proxy_log(level, message.ptr, message.length));
}
