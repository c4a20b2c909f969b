// consumes: what is left of the tightest limit
// produces: the response headers that tell a client about it, on admitted responses and on refusals
// never does: allocate per request
import { Bytes, BytesWriter, EMPTY, literal, responseHeaders } from "as-proxy-wasm-sdk";
import { Limit, LimitHeaders } from "./limit";

const RETRY_AFTER = literal("retry-after");
const RATE_LIMITED = literal("x-envoy-ratelimited");
const TRUE = literal("true");
const RATE_LIMIT = literal("ratelimit");
const RATE_LIMIT_POLICY = literal("ratelimit-policy");
const DRAFT_03: Bytes[] = [literal("ratelimit-limit"), literal("ratelimit-remaining"), literal("ratelimit-reset")];
const LEGACY: Bytes[] = [literal("x-ratelimit-limit"), literal("x-ratelimit-remaining"), literal("x-ratelimit-reset")];
const QUOTA = literal(";q=");
const WINDOW = literal(";w=");
const REMAINING = literal(";r=");
const RESET = literal(";t=");

/** Headers that a limit's refusals may have of their own. */
export const MOST_OWN_HEADERS = 16;
const MOST_PAIRS = 8 + MOST_OWN_HEADERS;
const names = new StaticArray<usize>(MOST_PAIRS);
const values = new StaticArray<usize>(MOST_PAIRS);
let count = 0;
const first = new BytesWriter(256);
const second = new BytesWriter(256);
const pairs = new BytesWriter(512);

/** What a client is told about its tightest limit. */
export class Standing {
  /** The limit's name in quotes; empty: nothing to tell. */
  label: Bytes = EMPTY;
  /** Tokens when nothing is taken. */
  limit: i64 = 0;
  left: i64 = 0;
  /** Seconds in which the whole limit is regained. */
  windowSeconds: i64 = 0;
  /** Seconds until it is regained, or until there is enough again. */
  resetSeconds: i64 = 0;

  /** Forgets what there was to tell. */
  clear(): void {
    this.label = EMPTY;
  }

  /** Takes another limit's standing if less is left of it. */
  narrow(label: Bytes, limit: i64, left: i64, windowSeconds: i64, resetSeconds: i64): void {
    if (this.label.length > 0 && this.left <= left) return;
    this.label = label;
    this.limit = limit;
    this.left = left;
    this.windowSeconds = windowSeconds;
    this.resetSeconds = resetSeconds;
  }
}

/** Returns nanoseconds as seconds, rounded up. */
export function secondsUp(nanoseconds: i64): i64 {
  return (nanoseconds + 999_999_999) / 1_000_000_000;
}

/**
 * Returns the headers of a refusal in the form the host reads; valid until the next call. `retrySeconds` below 0:
 * nobody knows when to come back.
 */
export function refusalHeaders(style: LimitHeaders, standing: Standing, retrySeconds: i64, limit: Limit): Bytes {
  count = 0;
  if (retrySeconds >= 0) put(RETRY_AFTER, Bytes.ofInteger(retrySeconds));
  put(RATE_LIMITED, TRUE); // an Envoy that called does not retry what was refused for this
  putStanding(style, standing);
  for (let i = 0; i < limit.refusalNames.length; i++)
    put(unchecked(limit.refusalNames[i]), unchecked(limit.refusalValues[i]));
  return encoded();
}

/**
 * Adds the headers to an admitted request's response. RateLimit and RateLimit-Policy are lists: what others said there
 * stays.
 */
export function tellStanding(style: LimitHeaders, standing: Standing): void {
  count = 0;
  putStanding(style, standing);
  for (let i = 0; i < count; i++) {
    const name = changetype<Bytes>(unchecked(names[i]));
    const value = changetype<Bytes>(unchecked(values[i]));
    if (style == LimitHeaders.Draft) responseHeaders.add(name, value);
    else responseHeaders.replace(name, value);
  }
}

function putStanding(style: LimitHeaders, standing: Standing): void {
  if (style == LimitHeaders.None || standing.label.length == 0) return;
  if (style == LimitHeaders.Draft) {
    first.clear().bytes(standing.label).bytes(QUOTA).integer(standing.limit);
    if (standing.windowSeconds > 0) first.bytes(WINDOW).integer(standing.windowSeconds);
    second
      .clear()
      .bytes(standing.label)
      .bytes(REMAINING)
      .integer(standing.left)
      .bytes(RESET)
      .integer(standing.resetSeconds);
    put(RATE_LIMIT_POLICY, first.result);
    put(RATE_LIMIT, second.result);
    return;
  }
  const three = style == LimitHeaders.Draft03 ? DRAFT_03 : LEGACY;
  put(unchecked(three[0]), Bytes.ofInteger(standing.limit));
  put(unchecked(three[1]), Bytes.ofInteger(standing.left));
  put(unchecked(three[2]), Bytes.ofInteger(standing.resetSeconds));
}

function put(name: Bytes, value: Bytes): void {
  unchecked((names[count] = changetype<usize>(name)));
  unchecked((values[count] = changetype<usize>(value)));
  count++;
}

/** count, lengths, then name NUL value NUL … */
function encoded(): Bytes {
  pairs.clear().u32(count);
  for (let i = 0; i < count; i++)
    pairs.u32(changetype<Bytes>(names[i]).length).u32(changetype<Bytes>(values[i]).length);
  for (let i = 0; i < count; i++)
    pairs.bytes(changetype<Bytes>(names[i])).byte(0).bytes(changetype<Bytes>(values[i])).byte(0);
  return pairs.result;
}
