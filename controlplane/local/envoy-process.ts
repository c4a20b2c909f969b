// One pod's Envoy: its arguments, its files, and what is asked of its admin page.
import { join } from "node:path";
import { type Child, startChild } from "./child-process.ts";
import { type HttpAnswer, httpCall } from "./http-call.ts";
import { ENVOY_ADMIN_PORT } from "../pods/listen-port.ts";

export interface EnvoyFiles {
  /** The bootstrap, mode 0600: it holds the pod's token. */
  readonly bootstrap: string;
  readonly logDir: string;
}

const DRAIN_SECONDS = 5;

/** With the offset from UTC: Envoy would write the machine's own time, and nobody could tell when that was. */
const LOG_FORMAT = "[%Y-%m-%dT%T.%e%z][%t][%l][%n] [%g:%#] %v";

/**
 * Returns Envoy's arguments. Without hot restart it needs no base id and leaves nothing in shared memory. What is
 * logged stands on one line, so that nothing that a plugin or a request says can look like a line of Envoy's own, and
 * is written within a second: traps are read from there (rollout/traps.ts).
 */
function envoyArguments({ bootstrap, logDir }: EnvoyFiles, concurrency: number): string[] {
  return [
    "-c",
    bootstrap,
    "--concurrency",
    String(concurrency),
    "--disable-hot-restart",
    "--drain-time-s",
    String(DRAIN_SECONDS),
    "--drain-strategy",
    "immediate",
    "--log-path",
    join(logDir, "envoy.log"),
    "--log-level",
    "warning",
    "--component-log-level",
    "wasm:info,upstream:error",
    "--log-format",
    LOG_FORMAT,
    "--log-format-escaped",
    "--file-flush-interval-msec",
    "1000",
  ];
}

/** Starts Envoy. What it prints on standard output are the access logs. */
export function startEnvoy(
  binary: string,
  files: EnvoyFiles,
  options: { readonly concurrency: number; readonly env: Readonly<Record<string, string>> },
): Child {
  return startChild({
    command: binary,
    args: envoyArguments(files, options.concurrency),
    cwd: files.logDir,
    env: options.env,
    stdout: join(files.logDir, "access.log"),
    stderr: join(files.logDir, "envoy.log"),
  });
}

/** Returns true when Envoy has its configuration and serves. */
export async function isEnvoyLive(podIp: string): Promise<boolean> {
  return (await callAdmin(podIp, "GET", "/ready", 1_000)).status === 200;
}

/** Lets the inbound listeners answer with `connection: close`, without closing them. */
export async function drainInbound(podIp: string): Promise<void> {
  await callAdmin(podIp, "POST", "/drain_listeners?inboundonly&graceful&skip_exit", 2_000);
}

/** Returns how many requests the proxy is working on; undefined when it does not say. */
export async function activeRequests(podIp: string): Promise<number | undefined> {
  const answer = await callAdmin(podIp, "GET", "/stats?filter=downstream_rq_active&format=json", 2_000);
  return answer.status === 200 ? sumActiveRequests(answer.body) : undefined;
}

/** Returns the sum over all HTTP listeners but the admin page itself, from /stats in JSON. */
export function sumActiveRequests(json: string): number | undefined {
  try {
    const { stats } = JSON.parse(json) as { stats?: { name?: string; value?: number }[] };
    return (stats ?? [])
      .filter(({ name }) => name?.startsWith("http.") && !name.startsWith("http.admin."))
      .reduce((sum, { value }) => sum + (value ?? 0), 0);
  } catch {
    return undefined;
  }
}

function callAdmin(podIp: string, method: string, path: string, timeoutMs: number): Promise<HttpAnswer> {
  return httpCall({ host: podIp, port: ENVOY_ADMIN_PORT, method, path, timeoutMs });
}
