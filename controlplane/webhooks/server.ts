// Consumes: HTTPS requests of API servers.
// Produces: answers to their questions.
// Never does: wait for long for who says little, hold more than one object's worth of text, or answer without TLS.
import { createServer, type Server } from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import { listen } from "../listen/listen.ts";
import { isFailed } from "../model/failure.ts";
import type { ListenAddress, SocketAddress } from "../model/socket-address.ts";
import { type Admission, type AdmissionRequest, encodeReview, parseReview } from "./admission.ts";

/** Answers the questions that come by a path. */
export type Admit = (request: AdmissionRequest) => Admission;

export interface WebhookServerOptions {
  readonly address: ListenAddress;
  /** By path. */
  readonly answers: Readonly<Record<string, Admit>>;
  /** Told of what went wrong while a question was answered. */
  readonly failed: (error: unknown, path: string) => void;
}

/** A certificate with its key, in PEM. */
export interface ServingCertificate {
  readonly certificate: string;
  readonly key: string;
}

export interface WebhookServer {
  /** Resolves to where it listens; throws ScrimError<ListenFailureCode> when it cannot. */
  start(certificate: ServingCertificate): Promise<SocketAddress>;
  /** For connections that are opened from now on. */
  setCertificate(certificate: ServingCertificate): void;
  stop(): Promise<void>;
}

/** An object is 1.5 MiB at most in etcd, and a question holds two: as it is, and as it was. */
const MAX_BODY_BYTES = 6 * 1_024 * 1_024;
const MAX_HEADER_BYTES = 16 * 1_024;
const HANDSHAKE_TIMEOUT_MS = 5_000;
const HEADERS_TIMEOUT_MS = 5_000;
/** API servers wait for 30 s at most. */
const REQUEST_TIMEOUT_MS = 30_000;
const MAX_CONNECTIONS = 1_000;

/** Returns the server, not yet listening. */
export function createWebhookServer(options: WebhookServerOptions): WebhookServer {
  const server = createServer(
    {
      ...{ minVersion: "TLSv1.2", handshakeTimeout: HANDSHAKE_TIMEOUT_MS, maxHeaderSize: MAX_HEADER_BYTES },
      ...{ headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS },
    },
    (request, response) => void answer(request, response, options).catch(() => response.destroy()),
  );
  server.maxConnections = MAX_CONNECTIONS;
  return {
    start(certificate) {
      server.setSecureContext(contextOf(certificate));
      return listen(server, options.address);
    },
    setCertificate: (certificate) => server.setSecureContext(contextOf(certificate)),
    stop: () => close(server),
  };
}

function contextOf({ certificate: cert, key }: ServingCertificate) {
  return { cert, key, minVersion: "TLSv1.2" } as const;
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { answers, failed }: WebhookServerOptions,
): Promise<void> {
  const path = (request.url ?? "").split("?")[0] ?? "";
  const say = (status: number, text: string) => {
    response.writeHead(status, { "content-type": "text/plain; charset=utf-8", connection: "close" });
    response.end(`${text}\n`);
  };
  const admit = Object.hasOwn(answers, path) ? answers[path] : undefined;
  if (admit === undefined) return say(404, `there is nothing at this path but ${Object.keys(answers).join(" and ")}`);
  if (request.method !== "POST") return say(405, "questions are posted");
  if (!/^application\/json\b/.test(request.headers["content-type"] ?? "")) return say(415, "write application/json");
  const body = await readBody(request);
  if (body === undefined) return say(413, `a question has ${MAX_BODY_BYTES} bytes at most`);
  const review = parseReview(body);
  if (isFailed(review)) return say(400, review.message);
  const text = encodeReview(review, admitted(admit, review, path, failed));
  response.writeHead(200, { "content-type": "application/json" });
  response.end(text);
}

/** A fault of ours is told to who asks, as a refusal: nothing is let through that nobody has looked at. */
function admitted(admit: Admit, review: AdmissionRequest, path: string, failed: WebhookServerOptions["failed"]) {
  try {
    return admit(review);
  } catch (error) {
    failed(error, path);
    return { allowed: false, message: "the mesh's control plane failed to answer; its log says why" };
  }
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  if (Number(request.headers["content-length"] ?? 0) > MAX_BODY_BYTES) return undefined;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
    setTimeout(() => server.closeAllConnections(), 1_000).unref();
  });
}
