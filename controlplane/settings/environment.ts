// Consumes: the process's environment.
// Produces: what Scrim takes from it, named and typed, once.
// Never does: lets another stage read process.env.
import { homedir } from "node:os";
import { join } from "node:path";
import type { LogLevel } from "../telemetry/logger.ts";

export interface Environment {
  /** `SCRIM_CACHE_DIR`, default `~/.cache/scrim`. */
  readonly cacheDir: string;
  readonly homeDir: string;
  /** `ENVOY_PATH`. */
  readonly envoyPath: string | undefined;
  /** `PATH`. */
  readonly searchPath: string | undefined;
  /** `SCRIM_LOG_LEVEL`, default info. */
  readonly logLevel: LogLevel;
  /** True when npm started this process: it must end when npm is gone. */
  readonly startedByNpm: boolean;
  /** Every variable, for the processes that are started. */
  readonly variables: Readonly<Record<string, string>>;
}

const LOG_LEVELS: readonly string[] = ["trace", "debug", "info", "warn", "error", "silent"];

/** Returns what Scrim takes from the environment. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>> = process.env): Environment {
  const level = env["SCRIM_LOG_LEVEL"] ?? "info";
  const variables = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const homeDir = env["HOME"] || homedir();
  return Object.freeze({
    cacheDir: env["SCRIM_CACHE_DIR"] || join(homeDir, ".cache", "scrim"),
    homeDir,
    envoyPath: env["ENVOY_PATH"] || undefined,
    searchPath: env["PATH"],
    logLevel: (LOG_LEVELS.includes(level) ? level : "info") as LogLevel,
    startedByNpm: env["npm_lifecycle_event"] !== undefined,
    variables: Object.freeze(Object.fromEntries(variables)),
  });
}
