// Consumes: the control plane's view of itself.
// Produces: the admin pages, on loopback: /ready, /synced, /debug/…, /metrics.
// Never does: change anything, or answer a browser that was led here by another site's name.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { formatAddress, isLoopback, type SocketAddress } from "../settings/address.ts";
import type { Registry } from "../telemetry/metrics.ts";
import type { ControlPlaneView } from "./contract.ts";
import { buildProxyStatus } from "./proxy-status.ts";
import { buildSyncReport } from "./sync-report.ts";

export interface AdminServerOptions {
  readonly view: ControlPlaneView;
  readonly metrics: Registry;
  readonly address: SocketAddress;
  /** True under `scrim up`: /synced then also asks for a pod behind every local Deployment. */
  readonly runsLocally: boolean;
}

export interface AdminServer {
  /** Resolves to where it listens; rejects when the address is taken. */
  start(): Promise<SocketAddress>;
  stop(): Promise<void>;
}

interface Answer { readonly status: number; readonly type: string; readonly body: string }
type Page = () => Answer | Promise<Answer>;

const MAX_HEADER_BYTES = 16 * 1_024;
const REQUEST_TIMEOUT_MS = 10_000;

/** Returns the admin server, not yet listening. */
export function createAdminServer(options: AdminServerOptions): AdminServer {
  const pages = createPages(options);
  const server = createServer({ maxHeaderSize: MAX_HEADER_BYTES, requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    answerRequest(request, pages).then((answer) => send(response, answer), () => send(response, text(500, "internal error\n")));
  });
  return { start: () => listen(server, options.address), stop: () => close(server) };
}

/** The pages by path; each is cheap and changes nothing. */
function createPages({ view, metrics, runsLocally }: AdminServerOptions): ReadonlyMap<string, Page> {
  return new Map<string, Page>([
    ["/ready", () => (view.isReady() ? text(200, "ready\n") : text(503, "not ready: the sources are being read\n"))],
    ["/synced", () => {
      const report = buildSyncReport(view, runsLocally);
      return json(report.synced ? 200 : 503, report);
    }],
    ["/debug/violations", () => json(200, view.violations())],
    ["/debug/proxies", () => json(200, buildProxyStatus(view))],
    ["/metrics", async () => ({ status: 200, type: metrics.contentType, body: await metrics.metrics() })],
  ]);
}

async function answerRequest(request: IncomingMessage, pages: ReadonlyMap<string, Page>): Promise<Answer> {
  // A name that resolves to loopback only while a page is open (DNS rebinding) shows in the Host header.
  if (!isLocalHost(request.headers.host)) return text(403, "this page answers only to a loopback host name\n");
  if (request.method !== "GET" && request.method !== "HEAD") return text(405, "only GET is answered here\n");
  const page = pages.get((request.url ?? "/").split("?")[0] ?? "/");
  if (page !== undefined) return page();
  return text(404, `there is no such page; there are:\n${[...pages.keys()].map((path) => `  ${path}\n`).join("")}`);
}

/** Returns true for `localhost`, `127.0.0.1:15014`, `[::1]:15014` and the like. */
export function isLocalHost(host: string | undefined): boolean {
  const name = /^(\[[^\]]+\]|[^:]+)(?::\d{1,5})?$/.exec(host ?? "")?.[1]?.replace(/^\[|\]$/g, "").toLowerCase();
  return name !== undefined && (name === "localhost" || isLoopback(name));
}

function send(response: ServerResponse, { status, type, body }: Answer): void {
  const bytes = Buffer.from(body);
  response.writeHead(status, { "content-type": type, "content-length": bytes.length, "cache-control": "no-store", "x-content-type-options": "nosniff" });
  response.end(bytes);
}

function text(status: number, body: string): Answer {
  return { status, type: "text/plain; charset=utf-8", body };
}

function json(status: number, value: unknown): Answer {
  return { status, type: "application/json; charset=utf-8", body: `${JSON.stringify(value, undefined, 2)}\n` };
}

function listen(server: Server, address: SocketAddress): Promise<SocketAddress> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => reject(new Error(`the admin address ${formatAddress(address)} cannot be opened: ${cause.message}`, { cause })));
    server.listen({ host: address.address, port: address.port }, () => {
      const bound = server.address();
      resolve({ address: address.address, port: typeof bound === "object" && bound !== null ? bound.port : address.port });
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
