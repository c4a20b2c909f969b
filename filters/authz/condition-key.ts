// consumes: the key of a condition in `when`
// produces: what that condition looks at
// never does: guess what an unknown key could mean
import { Json } from "as-proxy-wasm-sdk";
import { Condition } from "../policy/authorization-condition";
import { Subject } from "../policy/authorization-request";
import { utf8 } from "../policy/bytes";
import { ClaimPath, parseClaimKey } from "../policy/jwt-claims";

const HEADER = "request.headers[";
const CLAIMS = "request.auth.claims";
const EXPERIMENTAL = "experimental.";
const FILTERS = "envoy.filters.";
const NO_NAME = "";
const KNOWN =
  "request.headers[NAME], source.ip, remote.ip, source.trustDomain, source.namespace, source.principal, " +
  "source.serviceAccount, " +
  "request.auth.principal, request.auth.audiences, request.auth.presenter, request.auth.claims[NAME], " +
  "destination.ip, destination.port, connection.sni, experimental.envoy.filters.FILTER[KEY]";

/** What a condition's key means. */
export class ConditionKey {
  constructor(
    readonly subject: Subject,
    /**
     * The header's name in lower case, or the key of a claim: conditions with the same subject and name look at the
     * same thing.
     */
    readonly name: string,
    readonly claim: ClaimPath | null,
  ) {}

  /** Returns a condition on it, without values yet. */
  condition(negated: bool): Condition {
    const condition = new Condition(this.subject, negated, utf8(this.name));
    condition.claim = this.claim;
    return condition;
  }
}

/** Returns what the key means; an unknown one is an error of its document. */
export function parseConditionKey(json: Json): ConditionKey {
  const key = json.string();
  if (key.startsWith(HEADER) && key.endsWith("]") && key.length > HEADER.length + 1) {
    const name = key.substring(HEADER.length, key.length - 1).toLowerCase();
    if (!isHeaderName(name)) json.fail("a header's name as HTTP allows it in request.headers[NAME]");
    return new ConditionKey(Subject.Header, name, null);
  }
  if (key.startsWith(CLAIMS)) return claimKey(json, key);
  if (key.startsWith(EXPERIMENTAL)) return metadataKey(json, key);
  // Istio: the audiences and the presenter of a token are its claims `aud` and `azp`.
  if (key == "request.auth.audiences") return new ConditionKey(Subject.Claim, "[aud]", ClaimPath.claim(["aud"]));
  if (key == "request.auth.presenter") return new ConditionKey(Subject.Claim, "[azp]", ClaimPath.claim(["azp"]));
  return new ConditionKey(subjectOf(json, key), NO_NAME, null);
}

/**
 * A token, or one with `:` before it (https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2): no request has a header of
 * another name, so a condition on it would say nothing.
 */
function isHeaderName(name: string): bool {
  const start = i32(name.startsWith(":"));
  for (let i = start; i < name.length; i++) {
    const unit = name.charCodeAt(i);
    const isLetterOrDigit = (unit >= 0x30 && unit <= 0x39) || (unit >= 0x61 && unit <= 0x7a);
    if (!isLetterOrDigit && !"!#$%&'*+-.^_`|~".includes(String.fromCharCode(unit))) return false;
  }
  return name.length > start;
}

function subjectOf(json: Json, key: string): Subject {
  if (key == "source.ip") return Subject.PeerIp;
  if (key == "remote.ip") return Subject.RemoteIp;
  if (key == "source.trustDomain") return Subject.TrustDomain;
  if (key == "source.namespace") return Subject.Namespace;
  if (key == "source.principal") return Subject.Principal;
  if (key == "source.serviceAccount") return Subject.ServiceAccount;
  if (key == "request.auth.principal") return Subject.RequestPrincipal;
  if (key == "destination.ip") return Subject.DestinationIp;
  if (key == "destination.port") return Subject.DestinationPort;
  if (key == "connection.sni") return Subject.ServerName;
  json.fail("one of " + KNOWN);
  return Subject.ServerName;
}

function claimKey(json: Json, key: string): ConditionKey {
  const brackets = key.substring(CLAIMS.length);
  const parsed = parseClaimKey(brackets);
  if (parsed.path == null) json.failWith(parsed.error);
  return new ConditionKey(Subject.Claim, brackets, parsed.path);
}

/** `experimental.envoy.filters.network.mysql_proxy[db.table]`: a key in that filter's dynamic metadata. */
function metadataKey(json: Json, key: string): ConditionKey {
  const bracket = key.indexOf("[");
  if (!key.startsWith(FILTERS, EXPERIMENTAL.length) || bracket < 0 || !key.endsWith("]") || bracket + 2 >= key.length) {
    json.fail("one of " + KNOWN);
    return new ConditionKey(Subject.Metadata, NO_NAME, null);
  }
  const filter = key.substring(EXPERIMENTAL.length, bracket);
  return new ConditionKey(
    Subject.Metadata,
    key,
    ClaimPath.metadata(filter, key.substring(bracket + 1, key.length - 1)),
  );
}
