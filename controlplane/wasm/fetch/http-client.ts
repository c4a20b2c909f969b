// HTTP requests to servers that a URL of the mesh's users names: guarded where they connect, bounded in bytes, time and
// redirects. On node:http by choice: undici would be a third less code here, but every command would start 40 ms later,
// and its proxies get http URLs through tunnels only and are proved by the name of the server behind them.
import type http from "node:http";
import { type Failure, failed } from "../../model/failure.ts";
import { type OutboundProxies, wayTo } from "../../model/outbound-proxy.ts";
import type { AddressPolicy } from "./address-policy.ts";
import { type DialFault, type Dialled, directly, refusedLiteral, throughProxy, tooLate } from "./dial.ts";
import { describeNetworkError } from "./network-error.ts";

export interface HttpRequest {
  readonly method?: "GET" | "HEAD" | "POST" | "PUT" | "PATCH";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** An answer with more than this is given up. */
  readonly maxBytes: number;
  /** Ends the request, redirects included. */
  readonly deadline: AbortSignal;
}

export interface HttpAnswer {
  readonly kind: "answer";
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly bytes: Buffer;
  /** Where the answer came from after redirects. */
  readonly url: string;
}

export type HttpFault = DialFault | "proxy-unusable" | "network" | "too-large" | "redirect-refused";

/** Registries add failures of their own. */
export type HttpResult = HttpAnswer | Failure;

export interface HttpClient {
  /**
   * Returns the answer, whatever its status; redirects of GET and HEAD are followed, with credentials only to the
   * server they were meant for.
   */
  request(request: HttpRequest): Promise<HttpResult>;
}

export interface HttpClientOptions {
  readonly addresses: AddressPolicy;
  readonly maxRedirects: number;
  /** Proxies that lead out of this network; what a name leads to behind one is the proxy's to judge. */
  readonly proxies?: OutboundProxies | undefined;
}

const NO_PROXIES: OutboundProxies = { except: [] };

type Hop = HttpAnswer | Failure<HttpFault> | { readonly kind: "redirect"; readonly location: string };

/**
 * Returns a client. Every address is judged when it is connected to, so neither a redirect nor a second DNS answer
 * leads elsewhere.
 */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  const { maxRedirects } = options;
  return {
    async request(request) {
      let { url, headers = {} } = request;
      for (let hops = 0; hops <= maxRedirects; hops++) {
        const hop = await send({ ...request, url, headers }, options);
        if (hop.kind === "failed") return failed(hop.code, `${shownUrl(url)}: ${hop.message}`);
        if (hop.kind === "answer") return hop;
        const next = redirectTarget(url, hop.location);
        if (next === undefined)
          return failed(
            "redirect-refused",
            `${shownUrl(url)}: redirects to ${JSON.stringify(shownUrl(hop.location))}, which is not followed`,
          );
        if (new URL(next).origin !== new URL(url).origin) headers = withoutCredentials(headers);
        url = next;
      }
      return failed("redirect-refused", `${shownUrl(request.url)}: more than ${maxRedirects} redirects`);
    },
  };
}

/**
 * Returns a URL as logs may hold it: queries of redirects may hold signatures that open something, the part before the
 * host a password.
 */
export function shownUrl(url: string): string {
  return (url.split("?")[0] ?? "").replace(/^([a-z]+:\/\/)[^/@]*@/i, "$1");
}

function withoutCredentials(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !["authorization", "cookie"].includes(name.toLowerCase())),
  );
}

/** What began encrypted stays encrypted. */
function redirectTarget(from: string, to: string): string | undefined {
  if (!URL.canParse(to, from)) return undefined;
  const target = new URL(to, from);
  const allowed = from.startsWith("https:") ? ["https:"] : ["http:", "https:"];
  return allowed.includes(target.protocol) && target.username === "" && target.password === ""
    ? target.href
    : undefined;
}

async function send(request: HttpRequest, options: HttpClientOptions): Promise<Hop> {
  const { addresses, proxies = NO_PROXIES } = options;
  const target = new URL(request.url);
  // A literal address is never looked up, so no lookup would see it; behind a proxy nobody here looks up anything.
  const refused = refusedLiteral(target.hostname, addresses);
  if (refused !== undefined) return failed("address-refused", refused);
  const way = wayTo(target, proxies);
  if (way.kind === "failed") return way;
  const dialled =
    way.kind === "direct"
      ? directly(target, addresses)
      : await throughProxy(target, way.server, addresses, request.deadline);
  return dialled.kind === "failed" ? dialled : exchange(request, dialled);
}

function exchange(request: HttpRequest, { client, to, options, headers: added }: Dialled): Promise<Hop> {
  const { method = "GET", headers, body, deadline } = request;
  return new Promise((resolve) => {
    const fail = (error: Error) => resolve(deadline.aborted ? tooLate : failed("network", describeNetworkError(error)));
    const sent = client.request(
      to,
      {
        method,
        signal: deadline,
        ...options,
        headers: {
          "user-agent": "scrim",
          ...headers,
          ...added,
          ...(body !== undefined && { "content-length": String(body.length) }),
        },
      },
      (response) => receive(request, response, resolve, () => sent.destroy()),
    );
    sent.on("error", fail);
    sent.end(body);
  });
}

function receive(
  { method = "GET", url, maxBytes }: HttpRequest,
  response: http.IncomingMessage,
  resolve: (hop: Hop) => void,
  abandon: () => void,
): void {
  const { statusCode: status = 0, headers } = response;
  if (status >= 300 && status < 400 && headers.location !== undefined && (method === "GET" || method === "HEAD")) {
    resolve({ kind: "redirect", location: headers.location });
    return abandon();
  }
  const chunks: Buffer[] = [];
  let size = 0;
  response.on("data", (chunk: Buffer) => {
    size += chunk.length;
    chunks.push(chunk);
    if (size <= maxBytes) return;
    resolve(failed("too-large", `larger than ${maxBytes} bytes`));
    abandon();
  });
  response.on("end", () => resolve({ kind: "answer", status, headers, bytes: Buffer.concat(chunks), url }));
  response.on("error", (error) =>
    resolve(failed("network", error.message === "aborted" ? "the answer broke off" : error.message)),
  );
}
