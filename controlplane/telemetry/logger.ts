import { destination, type DestinationStream, type Logger, pino, stdTimeFunctions } from "pino";

export type { Logger } from "pino";
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "silent";

/** Returns a logger that writes one JSON object a line to `to` (standard output when it is left out). */
export function createLogger(level: LogLevel, to: DestinationStream = destination({ fd: 1, sync: true })): Logger {
  return pino({ level, timestamp: stdTimeFunctions.isoTime, base: null, formatters: { level: (label) => ({ level: label }) }, redact: ["token", "*.token", "headers.authorization"] }, to);
}
