// By what requests are kept with their share of a weighted route: the text of the annotation `scrim.mesh/sticky`.
import { type Failure, failed } from "./failure.ts";

/** The annotation on a VirtualService: `header:x-user`, `cookie:session; salt=2026-11`. */
export const STICKY_ANNOTATION = "scrim.mesh/sticky";

/**
 * Where a request's key comes from, as the router filter's rules have it. `claim`: `[name]` or `[name][inner name]`.
 */
export type StickyBy =
  | { readonly header: string }
  | { readonly cookie: string }
  | { readonly query: string }
  | { readonly claim: string }
  | { readonly source: "ip" };

/** What an annotation says, or what is wrong with it. */
export type StickyResult =
  | { readonly kind: "sticky"; readonly by: StickyBy; readonly salt?: string }
  | Failure<"invalid">;

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/;

/** Returns what `<source>:<name>` with an optional `; salt=<text>` means. */
export function parseSticky(text: string): StickyResult {
  const [key = "", ...options] = text.split(";").map((part) => part.trim());
  const colon = key.indexOf(":");
  const [source, name] = [key.slice(0, Math.max(colon, 0)), key.slice(colon + 1).trim()];
  const by = stickyBy(source, name);
  if (by === undefined)
    return failed(
      "invalid",
      `must be header:NAME, cookie:NAME, query:NAME, claim:NAME or source:ip, not ${JSON.stringify(key)}`,
    );
  const [salt, ...others] = options;
  if (salt === undefined) return { kind: "sticky", by };
  if (others.length > 0 || !/^salt=.{1,256}$/.test(salt))
    return failed("invalid", "only ; salt=TEXT can follow what requests are kept by");
  return { kind: "sticky", by, salt: salt.slice("salt=".length) };
}

function stickyBy(source: string, name: string): StickyBy | undefined {
  switch (source) {
    case "header":
      return TOKEN.test(name) ? { header: name.toLowerCase() } : undefined;
    case "cookie":
      return TOKEN.test(name) ? { cookie: name } : undefined;
    case "query":
      return /^[^\s&=#]{1,256}$/.test(name) ? { query: name } : undefined;
    case "claim":
      return claimOf(name);
    case "source":
      return name === "ip" ? { source: "ip" } : undefined;
    default:
      return undefined;
  }
}

function claimOf(name: string): StickyBy | undefined {
  const claim = claimPath(name.startsWith("[") ? name : `.${name}`);
  return claim === undefined ? undefined : { claim };
}

/** Returns `[a][b]` for what follows `request.auth.claims`: `[a][b]` or `.a.b`; undefined when it names no claim. */
function claimPath(text: string): string | undefined {
  if (/^(\[[^[\]]+\])+$/.test(text)) return text;
  return /^(\.[^.[\]]+)+$/.test(text)
    ? text
        .slice(1)
        .split(".")
        .map((name) => `[${name}]`)
        .join("")
    : undefined;
}

/**
 * Istio's name for claims among the headers of a VirtualService's match
 * (https://istio.io/latest/docs/tasks/security/authentication/jwt-route/).
 */
const CLAIMS = "@request.auth.claims";

/**
 * Returns the claim that a header's name in a match stands for: `[a][b]`; "wrong" for one that is meant and not
 * well-formed; undefined for a header.
 */
export function claimHeader(name: string): { readonly claim: string } | "wrong" | undefined {
  if (!name.startsWith("@request.auth.")) return undefined;
  const claim = name.startsWith(CLAIMS) ? claimPath(name.slice(CLAIMS.length)) : undefined;
  return claim === undefined ? "wrong" : { claim };
}
