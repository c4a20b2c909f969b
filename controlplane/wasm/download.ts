// Bytes from an HTTP or HTTPS URL, within limits.
import { lookup as dnsLookup } from "node:dns";
import http from "node:http";
import https from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { type AddressPolicy, refusedAddress } from "./address-policy.ts";

export interface DownloadLimits {
  readonly maxBytes: number;
  /** For the whole download, redirects included. */
  readonly timeoutMs: number;
  readonly maxRedirects: number;
  readonly addresses: AddressPolicy;
}

export type Download = { readonly ok: true; readonly bytes: Uint8Array } | { readonly ok: false; readonly message: string };

type Hop = Download | { readonly ok: "redirect"; readonly url: string };

/** Returns the body of a 200 answer. Every address is judged when it is connected to, so neither a redirect nor a second DNS answer leads elsewhere. */
export async function download(url: string, limits: DownloadLimits): Promise<Download> {
  const deadline = AbortSignal.timeout(limits.timeoutMs);
  let current = url;
  for (let hops = 0; hops <= limits.maxRedirects; hops++) {
    const hop = await get(current, limits, deadline);
    if (hop.ok !== "redirect") return hop.ok ? hop : { ok: false, message: `${current}: ${hop.message}` };
    const next = redirectTarget(current, hop.url);
    if (next === undefined) return { ok: false, message: `${current}: redirects to ${JSON.stringify(hop.url)}, which is not followed` };
    current = next;
  }
  return { ok: false, message: `${url}: more than ${limits.maxRedirects} redirects` };
}

/** What began encrypted stays encrypted. */
function redirectTarget(from: string, to: string): string | undefined {
  if (!URL.canParse(to, from)) return undefined;
  const target = new URL(to, from);
  const allowed = from.startsWith("https:") ? ["https:"] : ["http:", "https:"];
  return allowed.includes(target.protocol) ? target.href : undefined;
}

function get(url: string, limits: DownloadLimits, deadline: AbortSignal): Promise<Hop> {
  const target = new URL(url);
  const literal = target.hostname.replace(/^\[|\]$/g, "");
  // A literal address is never looked up, so the lookup below would not see it.
  const refused = isIP(literal) === 0 ? undefined : refusedAddress(literal, limits.addresses);
  if (refused !== undefined) return Promise.resolve({ ok: false, message: refused });
  return new Promise((resolve) => {
    const fail = (message: string) => resolve({ ok: false, message });
    const client = target.protocol === "https:" ? https : http;
    const request = client.get(target, { agent: false, signal: deadline, lookup: guardedLookup(limits.addresses), headers: { accept: "application/wasm, */*", "user-agent": "scrim" } }, (response) => {
      readBody(response, limits.maxBytes, resolve, () => request.destroy());
    });
    request.on("error", (error) => fail(deadline.aborted ? `no complete answer within ${limits.timeoutMs} ms` : error.message));
  });
}

function readBody(response: http.IncomingMessage, maxBytes: number, resolve: (hop: Hop) => void, abandon: () => void): void {
  const status = response.statusCode ?? 0;
  const { location } = response.headers;
  if (status >= 300 && status < 400 && location !== undefined) {
    resolve({ ok: "redirect", url: location });
    return abandon();
  }
  if (status !== 200) {
    resolve({ ok: false, message: `answered ${status}` });
    return abandon();
  }
  const chunks: Buffer[] = [];
  let size = 0;
  response.on("data", (chunk: Buffer) => {
    size += chunk.length;
    chunks.push(chunk);
    if (size <= maxBytes) return;
    resolve({ ok: false, message: `larger than ${maxBytes} bytes` });
    abandon();
  });
  response.on("end", () => resolve({ ok: true, bytes: Buffer.concat(chunks) }));
  response.on("error", (error) => resolve({ ok: false, message: error.message }));
}

function guardedLookup(policy: AddressPolicy): LookupFunction {
  return (hostname, options, callback) => {
    dnsLookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, "", 0);
      const refused = addresses.map(({ address }) => refusedAddress(address, policy)).find((reason) => reason !== undefined);
      const [first] = addresses;
      if (refused !== undefined || first === undefined) return callback(new Error(`${hostname}: ${refused ?? "has no address"}`), "", 0);
      if (options.all === true) return callback(null, addresses);
      callback(null, first.address, first.family);
    });
  };
}
