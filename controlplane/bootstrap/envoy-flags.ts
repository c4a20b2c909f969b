// What every Envoy of the mesh is started with, beside its bootstrap.

/** What one Envoy is started with. */
export interface EnvoyFlags {
  /** Who it is, where its bootstrap does not say. */
  readonly node?: { readonly id: string; readonly cluster: string } | undefined;
  /** Worker threads, or what stands for their number; undefined: one for each core. */
  readonly concurrency?: string | undefined;
  readonly logLevel?: string;
  readonly componentLogLevel?: string;
}

const DRAIN_SECONDS = 5;

/** With the offset from UTC: Envoy would write the machine's own time, and nobody could tell when that was. */
const LOG_FORMAT = "[%Y-%m-%dT%T.%e%z][%t][%l][%n] [%g:%#] %v";

/**
 * Returns Envoy's arguments. Without hot restart it needs no base id and leaves nothing in shared memory. What is
 * logged stands on one line, so that nothing that a plugin or a request says can look like a line of Envoy's own, and
 * is written at once: traps are read from there (rollout/traps.ts).
 */
export function envoyFlags({ node, concurrency, logLevel, componentLogLevel }: EnvoyFlags): readonly string[] {
  return [
    ...(node ? ["--service-node", node.id, "--service-cluster", node.cluster] : []),
    ...(concurrency === undefined ? [] : ["--concurrency", concurrency]),
    "--disable-hot-restart",
    ...["--drain-time-s", String(DRAIN_SECONDS), "--drain-strategy", "immediate"],
    ...["--log-level", logLevel ?? "warning"],
    ...["--component-log-level", componentLogLevel || "wasm:info,upstream:error"],
    ...["--log-format", LOG_FORMAT, "--log-format-escaped"],
  ];
}
