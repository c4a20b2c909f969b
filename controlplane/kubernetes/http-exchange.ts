// One HTTP exchange with an API server: sent, and its answer's head come, or why not.
import { Agent as HttpAgent, type ClientRequest, type IncomingMessage, request as requestHttp } from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";
import { type Failure, failed } from "../model/failure.ts";
import type { Credentials, TlsIdentity } from "./credentials.ts";

/** What is sent. */
export interface Sent {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly body: string | undefined;
  readonly contentType: string;
  readonly userAgent: string;
}

/** Whose body is still to come. */
export interface Head {
  readonly kind: "head";
  readonly response: IncomingMessage;
}

export interface Exchanges {
  send(credentials: Credentials, sent: Sent, signal: AbortSignal): Promise<Head | Failure<"unreachable">>;
  close(): void;
}

/** Connections that wait for the next call are closed after this. */
const IDLE_CONNECTION_MS = 60_000;
/** A peer that vanished without a word is noticed by the kernel's own probes, from then on once a second. */
const PROBE_AFTER_MS = 30_000;

/** Returns what exchanges over connections that are kept, as long as they are proven by one TLS identity. */
export function createExchanges(): Exchanges {
  let known: { readonly identity: string; readonly agent: HttpAgent } | undefined;

  function agentFor({ server, tls, proxyAgent }: Credentials): HttpAgent {
    if (proxyAgent !== undefined) return proxyAgent;
    const identity = JSON.stringify([server, tls]);
    if (known?.identity === identity) return known.agent;
    // The agent before is let go of: what runs on it goes on, and its idle connections close by themselves.
    const options = { keepAlive: true, timeout: IDLE_CONNECTION_MS };
    const agent = server.startsWith("http:") ? new HttpAgent(options) : new HttpsAgent({ ...options, ...tlsOf(tls) });
    known = { identity, agent };
    return agent;
  }

  const exchange = (credentials: Credentials, sent: Sent, signal: AbortSignal, isSecond: boolean) =>
    new Promise<Head | Failure<"unreachable">>((resolve) => {
      const url = new URL(credentials.server);
      const request = url.protocol === "http:" ? requestHttp : requestHttps;
      const made: ClientRequest = request(
        {
          ...{ protocol: url.protocol, hostname: url.hostname.replace(/^\[|\]$/g, ""), port: url.port },
          ...{ method: sent.method, path: `${url.pathname.replace(/\/$/, "")}${sent.path}` },
          ...{ agent: agentFor(credentials), signal, headers: headersOf(credentials, sent) },
        },
        (response) => resolve({ kind: "head", response }),
      );
      made.on("socket", (socket) => socket.setKeepAlive(true, PROBE_AFTER_MS));
      made.on("error", (error: NodeJS.ErrnoException) => {
        // The server closed a kept connection just as it was used again (https://nodejs.org/api/http.html#requestreusedsocket).
        if (made.reusedSocket && error.code === "ECONNRESET" && !isSecond && !signal.aborted)
          return resolve(exchange(credentials, sent, signal, true));
        const why = signal.aborted
          ? String((signal.reason as Error).message)
          : error.message || error.code || "no reason";
        resolve(failed("unreachable", `${credentials.server} cannot be reached: ${why}`));
      });
      made.end(sent.body);
    });

  return {
    send: (credentials, sent, signal) => exchange(credentials, sent, signal, false),
    close: () => known?.agent.destroy(),
  };
}

/** Without an authority of its own the machine's count. */
function tlsOf({ ca, cert, key, servername, rejectUnauthorized }: TlsIdentity) {
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(servername !== undefined && { servername }),
    ...(rejectUnauthorized !== undefined && { rejectUnauthorized }),
  };
}

function headersOf({ headers }: Credentials, { body, contentType, userAgent }: Sent): Record<string, string> {
  return {
    ...{ accept: "application/json", "user-agent": userAgent },
    ...(body !== undefined && { "content-type": contentType, "content-length": String(Buffer.byteLength(body)) }),
    ...headers,
  };
}
