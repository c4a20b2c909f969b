// What a client gets that is over a limit, as the configuration writes it.
import { Bytes, Json } from "as-proxy-wasm-sdk";
import { Limit } from "./limit";
import { MOST_OWN_HEADERS } from "./reply";

/** What the filter says itself, and what belongs to the message and not to its content. */
const RESERVED: string[] = [
  "retry-after",
  "x-envoy-ratelimited",
  "content-length",
  "transfer-encoding",
  "connection",
  "grpc-status",
];

/** Reads `{status, headers}`. Mistakes are kept in the document. */
export function parseRefusal(json: Json, limit: Limit): void {
  if (json.isMissing) return;
  json.object().only(["status", "headers"]);
  limit.status = u32(json.get("status").integerOr(429, 400, 599));
  const headers = json.get("headers");
  if (headers.isMissing) return;
  headers.object();
  if (headers.length > MOST_OWN_HEADERS) headers.fail("at most " + MOST_OWN_HEADERS.toString() + " headers");
  for (let i = 0; i < headers.length; i++) {
    const value = headers.at(i);
    const name = value.name.toLowerCase();
    if (!isToken(name)) value.failWith("is no name of a header");
    else if (RESERVED.includes(name)) value.failWith("is not for a refusal to say");
    if (!isHeaderText(value.string())) value.failWith("cannot be a header's value");
    limit.refusalNames.push(Bytes.of(name));
    limit.refusalValues.push(value.bytes());
  }
}

function isToken(name: string): bool {
  for (let i = 0; i < name.length; i++) {
    const unit = name.charCodeAt(i);
    const isAlphanumeric = (unit >= 0x30 && unit <= 0x39) || (unit >= 0x61 && unit <= 0x7a);
    if (!isAlphanumeric && !"!#$%&'*+-.^_`|~".includes(String.fromCharCode(unit))) return false;
  }
  return name.length > 0;
}

function isHeaderText(text: string): bool {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if ((unit < 0x20 && unit != 0x09) || unit == 0x7f) return false;
  }
  return true;
}
