// consumes: a request's headers, its connection's attributes, the claims of its token
// produces: nothing, or 403 with the policy that denied in the response code details; what policies on trial and AUDIT
// say as filter state
// never does: name a policy in the body; let a request pass that it could not look at
import {
  Bytes,
  defineMetric,
  FilterHeadersStatus,
  HttpContext,
  incrementMetric,
  isLogged,
  Json,
  JsonDocument,
  literal,
  logBytes,
  LogLevel,
  MetricType,
  RootContext,
  sendLocalReply,
  setProperty,
} from "as-proxy-wasm-sdk";
import { Policies, Verdict } from "../policy/authorization";
import { parsePolicies } from "./config";
import { auditLine, auditText, decisionLine, refusalDetails, trialLine, trialText } from "./messages";
import { hostRequest as request } from "../request/host-request";

const BODY = literal("RBAC: access denied");
const ALLOWED_TOTAL = literal("scrim_authz_allowed_total");
const DENIED_TOTAL = literal("scrim_authz_denied_total");
const TRIAL_ALLOWED_TOTAL = literal("scrim_authz_dry_run_allowed_total");
const TRIAL_DENIED_TOTAL = literal("scrim_authz_dry_run_denied_total");
const AUDITED_TOTAL = literal("scrim_authz_audited_total");
/**
 * Filter state of the stream, `wasm.` and these: an access log shows them by
 * %FILTER_STATE(wasm.scrim.authz.audit:PLAIN)%.
 */
const TRIAL_STATE = literal("scrim.authz.dry_run");
const AUDIT_STATE = literal("scrim.authz.audit");

/** One configured set of policies. */
export class Authorization extends RootContext {
  private policies: Policies = new Policies();
  private allowedMetric: u32 = 0;
  private deniedMetric: u32 = 0;
  private trialAllowedMetric: u32 = 0;
  private trialDeniedMetric: u32 = 0;
  private auditedMetric: u32 = 0;

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
    if (!policies.trial.isEmpty) {
      this.trialAllowedMetric = defineMetric(MetricType.Counter, TRIAL_ALLOWED_TOTAL);
      this.trialDeniedMetric = defineMetric(MetricType.Counter, TRIAL_DENIED_TOTAL);
    }
    if (policies.audits.policies.length > 0) this.auditedMetric = defineMetric(MetricType.Counter, AUDITED_TOTAL);
    return true;
  }

  override createHttpContext(): HttpContext {
    return new AuthorizedStream(this);
  }

  /** Decides the current request; returns whether it may pass. */
  decide(): bool {
    request.begin();
    this.audit();
    this.tryOut();
    const set = this.policies.enforced;
    let verdict = set.decide(request);
    if (request.headersMissing) {
      set.denies.policy = -1;
      verdict = Verdict.NotAllowed;
    }
    const allowed = verdict == Verdict.Allowed;
    incrementMetric(allowed ? this.allowedMetric : this.deniedMetric);
    if (!allowed) sendLocalReply(403, refusalDetails(set), BODY);
    if (isLogged(LogLevel.Debug)) logBytes(LogLevel.Debug, decisionLine(set, verdict));
    return allowed;
  }

  /** Tells which AUDIT policy matches, whatever is decided. */
  private audit(): void {
    const audits = this.policies.audits;
    if (audits.policies.length == 0 || !audits.firstOf(request)) return;
    incrementMetric(this.auditedMetric);
    setProperty(AUDIT_STATE, auditText(audits));
    if (isLogged(LogLevel.Info)) logBytes(LogLevel.Info, auditLine(audits));
  }

  /** Tells what policies on trial would decide if they were the only ones. */
  private tryOut(): void {
    const set = this.policies.trial;
    if (set.isEmpty) return;
    const verdict = set.decide(request);
    incrementMetric(verdict == Verdict.Allowed ? this.trialAllowedMetric : this.trialDeniedMetric);
    setProperty(TRIAL_STATE, trialText(set, verdict));
    if (isLogged(LogLevel.Debug)) logBytes(LogLevel.Debug, trialLine(set, verdict));
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
