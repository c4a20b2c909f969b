// One pod's Envoy: its arguments, its files, and what is asked of its admin page.
import { join } from "node:path";
import { envoyFlags } from "../bootstrap/envoy-flags.ts";
import type { ChildOptions } from "./child-process.ts";
import { httpCall } from "./http-call.ts";
import type { SocketAddress } from "../model/socket-address.ts";

/** What one Envoy is started with. */
export interface EnvoyRun {
  /** The bootstrap, mode 0600: it may hold the pod's token. */
  readonly bootstrap: string;
  readonly logDir: string;
  /** Worker threads; 0: one for each core. */
  readonly concurrency: number;
  readonly env: Readonly<Record<string, string>>;
  /** Who it is, where its bootstrap does not say. */
  readonly node?: { readonly id: string; readonly cluster: string } | undefined;
}

/** Returns how Envoy is started. What it prints on standard output are the access logs, on standard error its own. */
export function envoyCommand(binary: string, run: EnvoyRun): ChildOptions {
  const { node, concurrency } = run;
  return {
    command: binary,
    args: [
      "-c",
      run.bootstrap,
      ...envoyFlags({ node, concurrency: concurrency > 0 ? String(concurrency) : undefined }),
    ],
    cwd: run.logDir,
    env: run.env,
    stdout: join(run.logDir, "access.log"),
    stderr: join(run.logDir, "envoy.log"),
  };
}

/** Returns true when Envoy has its configuration and serves. */
export async function isEnvoyLive(admin: SocketAddress): Promise<boolean> {
  return (await callAdmin(admin, "GET", "/ready", 1_000)).status === 200;
}

/** Lets the inbound listeners answer with `connection: close`, without closing them. */
export async function drainInbound(admin: SocketAddress): Promise<void> {
  await callAdmin(admin, "POST", "/drain_listeners?inboundonly&graceful&skip_exit", 2_000);
}

/** Returns how many requests the proxy is working on; undefined when it does not say. */
export async function activeRequests(admin: SocketAddress): Promise<number | undefined> {
  const answer = await callAdmin(admin, "GET", "/stats?filter=downstream_rq_active&format=json", 2_000);
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

function callAdmin({ address: host, port }: SocketAddress, method: string, path: string, timeoutMs: number) {
  return httpCall({ host, port, method, path, timeoutMs });
}
