// What the rate limit filter's tests share.
import { readFileSync } from "node:fs";
import { createHost, type Host } from "proxy-wasm-host";

/** A file of this folder. */
export const file = (name: string): Buffer => readFileSync(new URL(name, import.meta.url));

/** The built filter. */
export const module = file("../build/ratelimit.wasm");

/** A request. */
export interface Sent {
  readonly headers?: Record<string, string | string[]>;
  readonly attributes?: Record<string, unknown>;
  readonly worker?: number;
}

/** A host with these limits. */
export const start = (limits: unknown[], more: Record<string, unknown> = {}, workers = 1): Host =>
  createHost({ module, configuration: JSON.stringify({ limits, ...more }), workers, vmId: "scrim.ratelimit" });

/** What one request is told. */
export function send(
  host: Host,
  { headers = {}, attributes = {}, worker = 0 }: Sent = {},
): { status: number; details: string; headers: Record<string, string> } {
  const stream = host.newStream({
    headers: { ":method": "GET", ":path": "/", ":authority": "a.test", ...headers },
    attributes: attributes as never,
    worker,
  });
  const outcome = stream.sendRequestHeaders();
  stream.end();
  if (outcome.kind === "continue") return { status: 200, details: "", headers: {} };
  if (outcome.kind !== "replied") throw new Error(outcome.kind);
  const names = ["retry-after", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "x-ratelimit-limit"];
  return {
    status: outcome.reply.status,
    details: outcome.reply.details,
    headers: Object.fromEntries(
      names.flatMap((name) =>
        outcome.reply.headers.get(name) === undefined ? [] : [[name, String(outcome.reply.headers.get(name))]],
      ),
    ),
  };
}

/** How many of `count` requests pass. */
export const admitted = (host: Host, count: number, sent: (index: number) => Sent = () => ({})): number =>
  Array.from({ length: count }, (_, i) => send(host, sent(i)).status).filter((status) => status === 200).length;

/** In milliseconds. */
export const HOUR = 3_600_000;
