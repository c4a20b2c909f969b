import { Agent, request as httpRequest, type IncomingHttpHeaders } from "node:http";

/** What a call to another service came to: its answer, or why there was none. */
export type CallResult<T> =
  | { readonly kind: "answered"; readonly status: number; readonly body: T }
  | { readonly kind: "refused"; readonly status: number; readonly reason: string }
  | { readonly kind: "failed"; readonly reason: string };

const agent = new Agent({ keepAlive: true, maxSockets: 256 });
const TIMEOUT_MS = 10_000;

// Everything a mesh needs to see again on the next hop: the trace, the request's id, and who the end user is.
const FORWARDED = [
  "x-request-id",
  "traceparent",
  "tracestate",
  "b3",
  "x-b3-traceid",
  "x-b3-spanid",
  "x-b3-parentspanid",
  "x-b3-sampled",
  "x-b3-flags",
  "baggage",
  "end-user",
  "x-user",
  "user-agent",
  "authorization",
];

/** Returns the headers of an incoming request that belong on every request made for its sake. */
export function forwardedHeaders(incoming: IncomingHttpHeaders): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name of FORWARDED) {
    const value = incoming[name];
    if (typeof value === "string") headers[name] = value;
  }
  return headers;
}

/**
 * Gets JSON from another service by its name in the mesh, as in `http://reviews:9080/reviews/0`. With HTTP_PROXY set
 * (the sidecar's outbound listener) the request goes there in absolute form; without, straight to the host.
 */
export function getJson<T>(url: string, headers: Record<string, string>): Promise<CallResult<T>> {
  return new Promise((resolve) => {
    const target = new URL(url);
    const proxy = process.env["HTTP_PROXY"] ?? process.env["http_proxy"];
    const hop = proxy ? new URL(proxy) : target;
    const request = httpRequest({
      agent,
      host: hop.hostname,
      port: hop.port || 80,
      method: "GET",
      timeout: TIMEOUT_MS,
      path: proxy ? target.href : `${target.pathname}${target.search}`,
      headers: { ...headers, host: target.host, accept: "application/json" },
    });
    request.on("timeout", () => request.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
    request.on("error", (error) => resolve({ kind: "failed", reason: error.message }));
    request.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", (error) => resolve({ kind: "failed", reason: error.message }));
      response.on("end", () =>
        resolve(readAnswer<T>(response.statusCode ?? 0, Buffer.concat(chunks).toString("utf8"))),
      );
    });
    request.end();
  });
}

function readAnswer<T>(status: number, text: string): CallResult<T> {
  if (status !== 200) return { kind: "refused", status, reason: text.trim().slice(0, 200) };
  try {
    return { kind: "answered", status, body: JSON.parse(text) as T };
  } catch {
    return { kind: "failed", reason: "the answer is not JSON" };
  }
}
