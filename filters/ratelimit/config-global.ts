// Whom to ask about a limit that all proxies share, as the configuration writes it.
import { Bytes, BytesWriter, EMPTY, Json } from "as-proxy-wasm-sdk";
import { utf8, viewOf } from "../policy/bytes";
import { scaled } from "../policy/gcra";
import { FailureMode, GlobalQuota } from "./limit";
import { writeEntry } from "./rate-limit-service";

const MOST_MS: i64 = 3_600_000;

/**
 * Returns the service, null if the limit is this proxy's own. Without entries and without a key the descriptor is
 * Envoy's own generic one: `generic_key` with the limit's name.
 */
export function parseGlobal(json: Json, limitName: string, hasNoKey: bool): GlobalQuota | null {
  if (json.isMissing) return null;
  const document = json.document!;
  json.object().only(["cluster", "authority", "domain", "descriptor", "timeoutMs", "stalenessMs", "lease", "failure"]);
  const constants = new BytesWriter(64);
  const descriptor = json.get("descriptor").list();
  for (let i = 0; i < descriptor.length; i++) {
    const entry = descriptor.at(i).object().only(["key", "value"]);
    const key = entry.get("key").string();
    if (document.ok && key.length == 0) entry.get("key").fail("the name of a descriptor's entry");
    writeEntry(constants, viewOf(utf8(key)), viewOf(utf8(entry.get("value").string())));
  }
  if (descriptor.length == 0 && hasNoKey) writeEntry(constants, viewOf(utf8("generic_key")), viewOf(utf8(limitName)));
  const quota = new GlobalQuota(
    notEmpty(json.get("domain")),
    notEmpty(json.get("cluster")),
    document.keepIn.keep(constants.result),
  );
  quota.authority = json.get("authority").bytesOr(EMPTY);
  quota.timeoutMs = u32(json.get("timeoutMs").integerOr(100, 1, MOST_MS));
  quota.staleness = scaled(json.get("stalenessMs").integerOr(1000, 1, MOST_MS) * 1_000_000);
  quota.lease = json.get("lease").integerOr(100, 1, 1_000_000_000);
  quota.failure = parseFailure(json.get("failure"));
  return quota;
}

function notEmpty(json: Json): Bytes {
  const bytes = json.bytes();
  if (bytes.length == 0) json.fail("a name");
  return bytes;
}

function parseFailure(json: Json): FailureMode {
  const mode = json.string();
  if (mode == "open") return FailureMode.Open;
  if (mode == "closed") return FailureMode.Closed;
  if (mode != "local") json.fail("open, closed or local");
  return FailureMode.Local;
}
