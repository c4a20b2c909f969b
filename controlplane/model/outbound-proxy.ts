// Which HTTP proxy leads out of a network: HTTP_PROXY, HTTPS_PROXY and NO_PROXY, read as curl and the tools of
// containers read them (https://pkg.go.dev/golang.org/x/net/http/httpproxy).
import { BlockList, isIP } from "node:net";
import { parseRange } from "./address-range.ts";
import { type Failure, failed } from "./failure.ts";

/** As the variables have it; undefined: no proxy. */
export interface OutboundProxies {
  readonly http?: string;
  readonly https?: string;
  /** Hosts that are reached without one. */
  readonly except: readonly string[];
}

export interface ProxyServer {
  readonly host: string;
  readonly port: number;
  /** The proxy itself is spoken to by TLS. */
  readonly tls: boolean;
  /** `Basic …`, where the variable holds a user. */
  readonly authorization?: string;
}

export type Way =
  | { readonly kind: "direct" }
  | { readonly kind: "proxy"; readonly server: ProxyServer }
  | Failure<"proxy-unusable">;

/** Returns what the variables say, in small letters or else in capitals. */
export function readOutboundProxies(variables: Readonly<Record<string, string>>): OutboundProxies {
  const read = (name: string) => variables[name] || variables[name.toUpperCase()] || undefined;
  const [http, https] = [read("http_proxy"), read("https_proxy")];
  const except = (read("no_proxy") ?? "")
    .split(/[\s,]+/)
    .filter((each) => each !== "")
    .map((each) => each.toLowerCase());
  return { ...(http !== undefined && { http }), ...(https !== undefined && { https }), except };
}

/** Returns the way to an http or https URL. This machine is always reached directly. */
export function wayTo(target: URL, proxies: OutboundProxies): Way {
  const text = target.protocol === "https:" ? proxies.https : proxies.http;
  const host = target.hostname.replace(/^\[|\]$/g, "").toLowerCase();
  const port = target.port || (target.protocol === "https:" ? "443" : "80");
  if (text === undefined || isThisMachine(host) || proxies.except.some((pattern) => isExcepted(pattern, host, port)))
    return { kind: "direct" };
  const server = parseServer(text);
  // What the variable holds is not shown: it may hold a password.
  const variable = target.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY";
  if (server !== undefined) return { kind: "proxy", server };
  const remedy = "write http://HOST:PORT or https://HOST:PORT, or name the host in NO_PROXY";
  return failed("proxy-unusable", `${variable} names no proxy that is spoken to: ${remedy}`);
}

function parseServer(text: string): ProxyServer | undefined {
  const whole = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(whole) ? new URL(whole) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol) || url.hostname === "") return undefined;
  const tls = url.protocol === "https:";
  const credential = `${decoded(url.username)}:${decoded(url.password)}`;
  return {
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: Number(url.port) || (tls ? 443 : 80),
    tls,
    ...(credential !== ":" && { authorization: `Basic ${Buffer.from(credential).toString("base64")}` }),
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const thisMachine = new BlockList();
thisMachine.addSubnet("127.0.0.0", 8);
thisMachine.addAddress("::1", "ipv6");

function isThisMachine(host: string): boolean {
  return (
    host === "localhost" ||
    host.endsWith(".localhost") ||
    (isIP(host) !== 0 && thisMachine.check(host, isIP(host) === 4 ? "ipv4" : "ipv6"))
  );
}

/**
 * `*`, an address or a range of them, `example.com` with all below it, `.example.com` without itself; each, but ranges,
 * also with a port.
 */
function isExcepted(pattern: string, host: string, port: string): boolean {
  if (pattern === "*") return true;
  if (isIP(host) !== 0 && holdsAddress(pattern, host)) return true;
  const [, name = "", wantedPort] = /^(.*?)(?::(\d+))?$/.exec(pattern) ?? [];
  if (wantedPort !== undefined && wantedPort !== port) return false;
  const bare = name.replace(/^\*?\./, "").replace(/^\[|\]$/g, "");
  return (
    bare !== "" && (host.endsWith(`.${bare}`) || (host === bare && bare.length === name.replace(/^\[|\]$/g, "").length))
  );
}

function holdsAddress(pattern: string, host: string): boolean {
  const [address = "", bits] = (parseRange(pattern) ?? "").split("/");
  if (bits === undefined || isIP(address) !== isIP(host)) return false;
  const family = isIP(host) === 4 ? "ipv4" : "ipv6";
  const list = new BlockList();
  list.addSubnet(address, Number(bits), family);
  return list.check(host, family);
}
