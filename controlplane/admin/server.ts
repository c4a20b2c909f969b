// Consumes: the control plane's view of itself.
// Produces: the admin pages: /ready and /metrics for all, /synced and /debug/… for this machine and for whoever proves
// who it is.
// Never does: change anything for whoever has not the token of the state directory, or answer a browser that was led
// here by another site's name.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { listen } from "../listen/listen.ts";
import type { ListenAddress, SocketAddress } from "../model/socket-address.ts";
import { isLoopback } from "../settings/address.ts";
import type { Authenticate } from "../xds/authenticate.ts";
import { type Answer, text } from "./answer.ts";
import { answerChange } from "./changes.ts";
import { type DebugCaller, scopeOf } from "./debug/access.ts";
import { createPages, type Page, type ShownParts } from "./pages.ts";

export interface AdminServerOptions extends ShownParts {
  readonly address: ListenAddress;
  /** Finds the workload that a bearer token belongs to. */
  readonly authenticate: Authenticate;
  /** Whether who has a token that is no workload's may read the page at a path; left out: nobody may. */
  readonly mayRead?: (token: string, path: string) => Promise<"allowed" | "denied" | "nobody's" | "unknown">;
}

export interface AdminServer {
  /** Resolves to where it listens; throws ScrimError<ListenFailureCode> when it cannot. */
  start(): Promise<SocketAddress>;
  stop(): Promise<void>;
}

const MAX_HEADER_BYTES = 16 * 1_024;
const REQUEST_TIMEOUT_MS = 10_000;

/** Returns the admin server, not yet listening. */
export function createAdminServer(options: AdminServerOptions): AdminServer {
  const pages = createPages(options);
  const server = createServer(
    { maxHeaderSize: MAX_HEADER_BYTES, requestTimeout: REQUEST_TIMEOUT_MS },
    (request, response) => {
      answerRequest(request, pages, options)
        .catch(() => text(500, "internal error\n"))
        .then((answer) => send(response, answer))
        .catch(() => void response.destroy());
    },
  );
  return { start: () => listen(server, options.address), stop: () => close(server) };
}

async function answerRequest(
  request: IncomingMessage,
  pages: ReadonlyMap<string, Page>,
  options: AdminServerOptions,
): Promise<Answer> {
  // Of several the first would be believed, whoever put it there.
  if ((request.headersDistinct["host"] ?? []).length > 1) return text(400, "a request has one Host header\n");
  const [path = "/", query = ""] = (request.url ?? "/").split("?", 2);
  if (request.method === "POST") {
    if (!isLocalHost(request.headers.host)) return text(403, "changes are taken only under a loopback host name\n");
    const { status, message } = answerChange(path, request.headers, isLocalOrigin, options.changes);
    return text(status, `${message}\n`);
  }
  if (request.method !== "GET" && request.method !== "HEAD") return text(405, "only GET is answered here\n");
  const page = pages.get(path);
  if (page?.for === "all" && !isLedHere(request)) return page.answer(new URLSearchParams(), { kind: "mesh" });
  if (isOfOtherSite(request)) return text(403, "this page does not answer to other sites' pages\n");
  const caller = await callerOf(request, path, options);
  if (caller === "denied") return text(403, `the cluster's rules do not let you get the nonResourceURL ${path}\n`);
  if (caller === "unknown") return text(503, "whose token this is cannot be told at present\n");
  if (caller === undefined)
    return isLedHere(request)
      ? text(403, "this page answers only to a loopback host name\n")
      : text(401, "say who you are: Authorization: Bearer TOKEN, with a workload's token\n");
  if (page === undefined) return text(404, `there is no such page; there are:\n${[...pages].map(helpLine).join("")}`);
  const scope = scopeOf(caller, options.view.world()?.mesh.rootNamespace ?? "istio-system");
  if (scope.kind === "namespace" && page.for === "mesh")
    return text(403, "this page shows the whole mesh: ask with an identity of the mesh's root namespace\n");
  return page.answer(new URLSearchParams(query), scope);
}

function helpLine([path, { help }]: readonly [string, Page]): string {
  return `  ${path.padEnd(24)} ${help}\n`;
}

/** Nobody could read the answer there, but making it costs something. */
function isOfOtherSite({ headers }: IncomingMessage): boolean {
  return headers["sec-fetch-site"] === "cross-site" || (headers.origin !== undefined && !isLocalOrigin(headers.origin));
}

function isLocalOrigin(origin: string): boolean {
  return isLocalHost(/^https?:\/\/([^/]+)$/.exec(origin)?.[1]);
}

/**
 * Who asks; undefined when nothing proves it, "unknown" when that cannot be told. On this machine nobody is asked for
 * more than a loopback name.
 */
async function callerOf(
  request: IncomingMessage,
  path: string,
  { authenticate, mayRead }: Pick<AdminServerOptions, "authenticate" | "mayRead">,
): Promise<DebugCaller | "denied" | "unknown" | undefined> {
  const token = /^Bearer ([^\s]{1,4096})$/.exec(request.headers.authorization ?? "")?.[1];
  const proof = token === undefined ? undefined : await authenticate(token);
  if (proof?.kind === "proven") return { kind: "workload", namespace: proof.identity.namespace };
  if (isFromLoopback(request) && isLocalHost(request.headers.host)) return { kind: "local" };
  if (token === undefined) return undefined;
  const access = (await mayRead?.(token, path)) ?? "nobody's";
  if (access === "allowed") return { kind: "reader" };
  if (access !== "nobody's") return access;
  return proof?.code === "unavailable" ? "unknown" : undefined;
}

/** A name that resolves to loopback only while a page is open (DNS rebinding) shows in the Host header. */
function isLedHere(request: IncomingMessage): boolean {
  return isFromLoopback(request) && !isLocalHost(request.headers.host);
}

function isFromLoopback({ socket }: IncomingMessage): boolean {
  const peer = (socket.remoteAddress ?? "").replace(/^::ffff:/, "");
  return isLoopback(peer);
}

/** Returns true for `localhost`, `127.0.0.1:15014`, `[::1]:15014` and the like. */
export function isLocalHost(host: string | undefined): boolean {
  const name = /^(\[[^\]]+\]|[^:]+)(?::\d{1,5})?$/
    .exec(host ?? "")?.[1]
    ?.replace(/^\[|\]$/g, "")
    .toLowerCase();
  return name !== undefined && (name === "localhost" || isLoopback(name));
}

async function send(response: ServerResponse, { status, type, body }: Answer): Promise<void> {
  const headers = { "content-type": type, "cache-control": "no-store", "x-content-type-options": "nosniff" };
  if (typeof body === "string") {
    const bytes = Buffer.from(body);
    response.writeHead(status, { ...headers, "content-length": bytes.length }).end(bytes);
    return;
  }
  response.writeHead(status, headers);
  // Waits for slow readers, and ends with those that went away.
  await pipeline(Readable.from(body, { objectMode: false }), response);
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
