// What the authorization filter's tests share.
import { readFileSync } from "node:fs";
import { createHost, type Host } from "proxy-wasm-host";

/** A file of this folder. */
export const file = (name: string): Buffer => readFileSync(new URL(name, import.meta.url));

/** The built filter. */
export const module = file("../build/authz.wasm");

/** A request's headers. */
export type Headers = Record<string, string | string[]>;

/** Somebody who calls. */
export const ORDERS = "spiffe://cluster.local/ns/shop/sa/orders";

/** A host with these policies. */
export function start(policies: unknown): Host {
  return createHost({ module, configuration: JSON.stringify({ policies }) });
}

/** A connection of this caller's. */
export const mtls = (uri: string) => ({ connection: { mtls: true, uri_san_peer_certificate: uri } });

/** "allowed", or the response code details of the refusal. */
export function decide(host: Host, headers: Headers = {}, attributes: Record<string, unknown> = {}): string {
  const stream = host.newStream({
    headers: { ":method": "GET", ":path": "/", ":authority": "a.test", ...headers },
    attributes: attributes as never,
  });
  const outcome = stream.sendRequestHeaders();
  stream.end();
  if (outcome.kind === "continue") return "allowed";
  return outcome.kind === "replied" ? outcome.reply.details : outcome.kind;
}
