import { destination, type DestinationStream, type Logger, pino, stdTimeFunctions } from "pino";

export type { Logger } from "pino";
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "silent";

/** Lines that wait for a full disk; those above are lost. */
const MOST_WAITING_BYTES = 1024 * 1024;

/**
 * Returns a logger that writes one JSON object a line to `to` (standard output when it is left out). A log that cannot
 * be written stops nothing.
 */
export function createLogger(level: LogLevel, to: DestinationStream = standardOutput()): Logger {
  return pino(
    {
      level,
      timestamp: stdTimeFunctions.isoTime,
      base: null,
      formatters: { level: (label) => ({ level: label }) },
      redact: ["token", "*.token", "headers.authorization"],
    },
    to,
  );
}

function standardOutput(): DestinationStream {
  return destination({ fd: 1, sync: true, maxLength: MOST_WAITING_BYTES }).on("error", () => undefined);
}
