// consumes: a request's headers and its connection's attributes
// produces: nothing, or 403 with the policy that denied in the response code details
// never does: name a policy in the body; let a request pass that it could not look at
import {
  Bytes, BytesWriter, defineMetric, FilterHeadersStatus, HttpContext, incrementMetric, isLogged, Json, JsonDocument, literal, logBytes, LogLevel, MetricType,
  RootContext, sendLocalReply,
} from "as-proxy-wasm-sdk";
import { PolicySet } from "../policy/authorization";
import { parsePolicies } from "./config";
import { hostRequest as request } from "./request";

const BODY = literal("RBAC: access denied");
const DETAILS = literal("rbac_access_denied_matched_policy[");
const NONE = literal("none");
const NOT_ALLOWED = literal(",not_allowed_by[");
const MORE = literal(",...");
const NAMES_AT_MOST = 8;
const LOG_ALLOWED = literal("authz: allowed by ");
const LOG_DENIED = literal("authz: denied by ");
const ALLOWED_TOTAL = literal("scrim_authz_allowed_total");
const DENIED_TOTAL = literal("scrim_authz_denied_total");

/** Messages and details are put together here; both are handed over before the next use. */
const text = new BytesWriter(512);

/** One configured set of policies. */
export class Authorization extends RootContext {
  private policies: PolicySet = new PolicySet();
  private allowedMetric: u32 = 0;
  private deniedMetric: u32 = 0;

  override onConfigure(configuration: Bytes): bool {
    return this.configureFrom(new JsonDocument(configuration, this.region).root);
  }

  /** Takes a configuration that may be a part of a larger one; false refuses it, and the log says why. */
  configureFrom(configuration: Json): bool {
    const policies = parsePolicies(configuration);
    const document = configuration.document!;
    if (!document.ok) return this.reject(document.error);
    this.policies = policies;
    this.allowedMetric = defineMetric(MetricType.Counter, ALLOWED_TOTAL);
    this.deniedMetric = defineMetric(MetricType.Counter, DENIED_TOTAL);
    return true;
  }

  override createHttpContext(): HttpContext {
    return new AuthorizedStream(this);
  }

  /** Decides the current request; returns whether it may pass. */
  decide(): bool {
    request.begin();
    let allowed = this.policies.decide(request);
    if (request.headersMissing) {
      allowed = false;
      this.policies.policy = -1;
    }
    incrementMetric(allowed ? this.allowedMetric : this.deniedMetric);
    if (!allowed) sendLocalReply(403, this.details(), BODY);
    if (isLogged(LogLevel.Debug)) this.logDecision(allowed);
    return allowed;
  }

  /**
   * `rbac_access_denied_matched_policy[<namespace>/<name>[<rule>]]`, or `…[none],not_allowed_by[<namespace>/<name>,…]` with the
   * ALLOW policies of which none matched: who reads the log must know where to look.
   */
  private details(): Bytes {
    text.clear().bytes(DETAILS);
    this.writeMatch(false);
    text.byte(0x5d);
    if (this.policies.policy < 0) this.writeAllows();
    return text.result;
  }

  /** Appends the names of the ALLOW policies, as many as an access log should hold. */
  private writeAllows(): void {
    const allows = this.policies.allows;
    if (allows.length == 0) return;
    text.bytes(NOT_ALLOWED);
    for (let i = 0; i < min(allows.length, NAMES_AT_MOST); i++) {
      if (i > 0) text.byte(0x2c);
      text.text(allows[i].name);
    }
    if (allows.length > NAMES_AT_MOST) text.bytes(MORE);
    text.byte(0x5d);
  }

  private logDecision(allowed: bool): void {
    text.clear().bytes(allowed ? LOG_ALLOWED : LOG_DENIED);
    this.writeMatch(allowed);
    logBytes(LogLevel.Debug, text.result);
  }

  /** Appends `<namespace>/<name>[<rule>]` of what decided, or `none`. */
  private writeMatch(allowed: bool): void {
    const set = this.policies;
    const policies = allowed ? set.allows : set.denies;
    if (set.policy < 0 || set.policy >= policies.length) text.bytes(NONE);
    else text.text(policies[set.policy].name).byte(0x5b).integer(set.rule).byte(0x5d);
  }
}

/** One request. */
export class AuthorizedStream extends HttpContext {
  constructor(private readonly root: Authorization) {
    super();
  }

  override onRequestHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    return this.root.decide() ? FilterHeadersStatus.Continue : FilterHeadersStatus.StopIteration;
  }
}
