// What the router's tests share.
import { readFileSync } from "node:fs";
import { createHost, type Host } from "proxy-wasm-host";
import { expect } from "vitest";

/** A file of this folder. */
export const file = (name: string): Buffer => readFileSync(new URL(name, import.meta.url));

/** The built filter. */
export const module = file("../build/router.wasm");

/** A request's headers. */
export type Headers = Record<string, string | string[]>;

/** A virtual host's metadata with these rules. */
export const metadata = (rules: unknown, id = JSON.stringify(rules)) => ({
  xds: {
    virtual_host_metadata: {
      filter_metadata: { "scrim.router": { id, rules: typeof rules === "string" ? rules : JSON.stringify(rules) } },
    },
  },
});

/** One host for all that only look at one request. */
export const host = createHost({ module, configuration: "{}" });

/** The key chosen, undefined when nothing was chosen. */
export function choose(
  rules: unknown,
  headers: Headers = {},
  on: Host = host,
  id?: string,
  attributes: object = {},
): string | undefined {
  const stream = on.newStream({
    headers: { ":method": "GET", ":path": "/", ":authority": "reviews", ":scheme": "http", ...headers },
    attributes: rules === undefined ? {} : ({ ...metadata(rules, id), ...attributes } as never),
  });
  expect(stream.sendRequestHeaders().kind).toBe("continue");
  const key = stream.filterState("scrim.route");
  expect(stream.routeCacheCleared).toBe(key === undefined ? 0 : 1);
  stream.end();
  return key;
}

/** Rules that ask for one match. */
export const only = (match: object): unknown => ({ routes: [{ key: "yes", match }] });

/** Metadata of a verified token. */
export const token = (payload: object): object => ({
  metadata: { filter_metadata: { "envoy.filters.http.jwt_authn": { payload } } },
});
