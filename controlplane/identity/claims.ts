// What a service account's token says of itself, without its signature being looked at: good enough to refuse it, and
// to know when it ends; never to believe it.
import { isJsonObject } from "../model/json-object.ts";

/** Of a JSON Web Token. */
export interface TokenClaims {
  readonly audiences: readonly string[];
  /** Milliseconds since 1970; undefined: it does not end. */
  readonly expiresAtMs: number | undefined;
}

const LONGEST_TOKEN = 16 * 1024;
const JWT = /^[\w-]+\.([\w-]+)\.[\w-]+$/;

/** Returns the claims; undefined for what is no JSON Web Token. */
export function parseClaims(token: string): TokenClaims | undefined {
  if (token.length > LONGEST_TOKEN) return undefined;
  const payload = JWT.exec(token)?.[1];
  if (payload === undefined) return undefined;
  let claims: unknown;
  try {
    claims = JSON.parse(Buffer.from(payload, "base64url").toString("utf8"));
  } catch {
    return undefined;
  }
  if (!isJsonObject(claims)) return undefined;
  const { aud, exp } = claims;
  return {
    audiences: (Array.isArray(aud) ? aud : [aud]).filter((one): one is string => typeof one === "string"),
    expiresAtMs: typeof exp === "number" && Number.isFinite(exp) ? exp * 1_000 : undefined,
  };
}
