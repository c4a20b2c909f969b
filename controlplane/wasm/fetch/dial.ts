// How a server is reached: directly, or through a proxy. Every address that is connected to is judged first, the
// proxy's own too.
import { lookup as dnsLookup } from "node:dns";
import http from "node:http";
import https from "node:https";
import { isIP, type LookupFunction, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { type Failure, failed } from "../../model/failure.ts";
import type { ProxyServer } from "../../model/outbound-proxy.ts";
import type { AddressPolicy } from "./address-policy.ts";
import { describeNetworkError } from "./network-error.ts";

/** Why a server was not reached. */
export type DialFault = "address-refused" | "proxy-failed" | "timeout";

/** What becomes of whatever takes longer than its deadline. */
export const tooLate = failed("timeout", "no complete answer in time");

/** What a request is sent by. */
export interface Dialled {
  readonly kind: "dialled";
  readonly client: Pick<typeof http, "request">;
  readonly to: URL;
  readonly options: http.RequestOptions;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Returns why a host that is written as an address may not be connected to; undefined for names and for addresses that
 * may.
 */
export function refusedLiteral(hostname: string, addresses: AddressPolicy): string | undefined {
  const literal = hostname.replace(/^\[|\]$/g, "");
  return isIP(literal) === 0 ? undefined : addresses(literal);
}

/** Returns the way without a proxy. */
export function directly(target: URL, addresses: AddressPolicy): Dialled {
  return {
    kind: "dialled",
    client: target.protocol === "https:" ? https : http,
    to: target,
    options: { agent: false, lookup: guardedLookup(addresses) },
    headers: {},
  };
}

/** Returns the way through a proxy: http URLs are given to it whole, for https URLs it opens a tunnel. */
export async function throughProxy(
  target: URL,
  proxy: ProxyServer,
  addresses: AddressPolicy,
  deadline: AbortSignal,
): Promise<Dialled | Failure<DialFault>> {
  const at = `the proxy ${proxy.host}:${proxy.port}`;
  const refused = refusedLiteral(proxy.host, addresses);
  if (refused !== undefined) return failed("address-refused", `${at}: ${refused}`);
  const client = proxy.tls ? https : http;
  const hop = hopTo(proxy, addresses);
  const headers: Record<string, string> =
    proxy.authorization === undefined ? {} : { "proxy-authorization": proxy.authorization };
  if (target.protocol === "http:") {
    const { href, hash } = target;
    return {
      kind: "dialled",
      client,
      to: target,
      options: { ...hop, protocol: proxy.tls ? "https:" : "http:", path: href.slice(0, href.length - hash.length) },
      headers: { ...headers, host: target.host },
    };
  }
  const opened = await openTunnel(client, {
    ...hop,
    method: "CONNECT",
    path: `${target.hostname}:${target.port || 443}`,
    headers: { host: `${target.hostname}:${target.port || 443}`, ...headers },
    signal: deadline,
  });
  if (typeof opened === "string") return deadline.aborted ? tooLate : failed("proxy-failed", `${at}: ${opened}`);
  const host = target.hostname.replace(/^\[|\]$/g, "");
  // With a connection of its own a request has no agent, which would know the port that goes without saying.
  const createConnection = () => connectTls({ socket: opened, host, ...(isIP(host) === 0 && { servername: host }) });
  return { kind: "dialled", client: https, to: target, options: { createConnection, defaultPort: 443 }, headers: {} };
}

function hopTo({ host, port }: ProxyServer, addresses: AddressPolicy) {
  // Left to itself, Node takes the Host header for the name that the proxy has to prove.
  const servername = isIP(host) === 0 ? host : "";
  return { agent: false as const, hostname: host, port, servername, lookup: guardedLookup(addresses) };
}

/** Returns the socket behind which the server is, or why there is none. */
function openTunnel(client: typeof http | typeof https, options: https.RequestOptions): Promise<Socket | string> {
  return new Promise((resolve) => {
    const asked = client.request(options);
    asked.on("connect", ({ statusCode = 0 }, socket: Socket) => {
      if (statusCode === 200) return resolve(socket);
      socket.destroy();
      resolve(
        `it answered ${statusCode}${statusCode === 407 ? ": name a user and a password for it in HTTPS_PROXY" : ""}`,
      );
    });
    asked.on("error", (error) => resolve(describeNetworkError(error)));
    asked.end();
  });
}

function guardedLookup(addresses: AddressPolicy): LookupFunction {
  return (hostname, options, callback) => {
    dnsLookup(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) return callback(error, "", 0);
      const refused = found.map(({ address }) => addresses(address)).find((reason) => reason !== undefined);
      const [first] = found;
      if (refused !== undefined || first === undefined)
        return callback(new Error(`${hostname}: ${refused ?? "has no address"}`), "", 0);
      if (options.all === true) return callback(null, found);
      callback(null, first.address, first.family);
    });
  };
}
