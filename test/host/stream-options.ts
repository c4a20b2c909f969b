import { HeaderMap, type HeadersInput } from "./header-map.ts";
import type { Attributes } from "./known-attributes.ts";
import type { LocalReply } from "./local-reply.ts";

/** Where a stream stands. `paused`: held by the filter until it continues. `reset`: closed by the filter. */
export type Outcome =
  | { readonly kind: "continue" }
  | { readonly kind: "paused" }
  | { readonly kind: "replied"; readonly reply: LocalReply }
  | { readonly kind: "reset" };

/** A stream as a test describes it. */
export interface StreamOptions {
  /** Default: GET / on example.com over http. */
  readonly headers?: HeadersInput;
  /** On top of the host's attributes. */
  readonly attributes?: Attributes;
  /** Index of the worker that serves it, default 0. */
  readonly worker?: number;
}

/** What a request has where a test says nothing. */
const DEFAULT_HEADERS = { ":method": "GET", ":path": "/", ":authority": "example.com", ":scheme": "http" };

/** Returns a stream's request headers, completed. */
export function requestHeadersOf(options: StreamOptions): HeaderMap {
  const given = new HeaderMap(options.headers ?? []);
  const missing = Object.entries(DEFAULT_HEADERS).filter(([name]) => !given.has(name));
  return new HeaderMap([...missing, ...given.byteEntries()]);
}
