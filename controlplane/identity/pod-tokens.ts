// Consumes: the tokens that a cluster's pods have for the mesh, and what the cluster says of them.
// Produces: which pod a token belongs to, for as long as the pod and the token are there.
// Never does: keep a token, tell one in a log, or let in whom nobody vouched for.
import { createHash } from "node:crypto";
import type { ApiClient } from "../kubernetes/api-client.ts";
import { reviewToken } from "../kubernetes/token-review.ts";
import { type Failure, failed } from "../model/failure.ts";
import type { Clock } from "../telemetry/clock.ts";
import type { Authenticate, Proof, ProofProblem } from "../xds/authenticate.ts";
import { parseClaims } from "./claims.ts";
import { createKnownTokens, type KnownToken } from "./known-tokens.ts";
import { checkPod, type PodUid } from "./pod-check.ts";
import { type TokenOwner, tokenOwner } from "./token-owner.ts";
import { createTurns } from "./turns.ts";

export interface PodTokensOptions {
  readonly api: Pick<ApiClient, "request">;
  /** What tokens for the mesh are made for: `istio-ca`. */
  readonly audience: string;
  readonly podUid: PodUid;
  readonly clock: Pick<Clock, "nowMs" | "monotonicMs">;
  readonly logger: Record<"info" | "warn", (fields: object, message: string) => void>;
}

type Outcome = Proof | Failure<ProofProblem>;

/** A token is reviewed again after so long, a fifth earlier or later. */
const FRESH_MS = 300_000;
/** So often it is asked whether the pod of an open stream is still there. */
const LOOK_AGAIN_MS = 10_000;
/** Without an API server, what was known holds for so long. */
const HOLDS_ALONE_MS = 3_600_000;
const REVIEW_TIMEOUT_MS = 5_000;
const REVIEWS_AT_ONCE = 16;
/** When the API server could not be reached nobody asks it again for so long. */
const PAUSE_MS = 1_000;

/** Returns an Authenticate over the tokens of a cluster's pods. */
export function createPodTokens(options: PodTokensOptions): Authenticate {
  const { audience, clock } = options;
  const underWay = new Map<string, Promise<Outcome>>();
  const judge = createJudge(options);
  return (token) => {
    const claims = parseClaims(token);
    if (claims === undefined) return unproven("the token is none of a service account");
    if (!claims.audiences.includes(audience)) return unproven(`the token's audience is not ${audience}`);
    const { expiresAtMs = Number.POSITIVE_INFINITY } = claims;
    if (expiresAtMs <= clock.nowMs()) return unproven("the token has expired");
    const digest = createHash("sha256").update(token).digest("base64");
    const asked = underWay.get(digest);
    if (asked !== undefined) return asked;
    const outcome = judge(token, digest, expiresAtMs).finally(() => underWay.delete(digest));
    underWay.set(digest, outcome);
    return outcome;
  };
}

async function unproven(message: string): Promise<Failure<"unproven">> {
  return failed("unproven", message);
}

function createJudge({ api, audience, podUid, clock, logger }: PodTokensOptions) {
  const known = createKnownTokens();
  const review = createReviewer({ api, audience, clock, logger });
  const isTooOld = ({ reviewedAtMs }: KnownToken): boolean => clock.monotonicMs() - reviewedAtMs > HOLDS_ALONE_MS;
  const refuse = (digest: string, refusal: Failure<"unproven">): Failure<"unproven"> => {
    known.refuse(digest, refusal, clock.monotonicMs());
    return refusal;
  };

  return async (token: string, digest: string, expiresAtMs: number): Promise<Outcome> => {
    const refused = known.refusalOf(digest, clock.monotonicMs());
    if (refused !== undefined) return refused;
    let entry = known.ownerOf(digest);
    if (entry === undefined || clock.monotonicMs() - entry.reviewedAtMs >= FRESH_MS * shareOf(digest)) {
      const owner = await review(token);
      if (owner.kind === "owner") known.keep(digest, (entry = { owner, reviewedAtMs: clock.monotonicMs() }));
      else if (owner.code === "unproven") return refuse(digest, failed("unproven", owner.message));
      else if (entry === undefined || isTooOld(entry)) return owner;
    }
    const presence = await checkPod(api, podUid, entry.owner, REVIEW_TIMEOUT_MS);
    if (presence === "gone") return refuse(digest, failed("unproven", "the token's pod is there no more"));
    const holdsForMs = Math.min(LOOK_AGAIN_MS, Math.max(0, expiresAtMs - clock.nowMs()));
    return { kind: "proven", identity: entry.owner.identity, holdsForMs };
  };
}

/** From 0.8 up to 1.2: proxies that came together are not reviewed together again. */
function shareOf(digest: string): number {
  return 0.8 + ((Buffer.from(digest, "base64")[0] ?? 0) / 255) * 0.4;
}

type Reviewed = TokenOwner | Failure<ProofProblem>;

/** Reviews a few tokens at once; whether that works at all is told once each way. */
function createReviewer({ api, audience, clock, logger }: Omit<PodTokensOptions, "podUid">) {
  const inTurn = createTurns(REVIEWS_AT_ONCE);
  let pausedUntilMs = 0;
  let trouble: string | undefined;
  const note = (problem: string | undefined): void => {
    if (problem !== undefined) pausedUntilMs = clock.monotonicMs() + PAUSE_MS;
    if (problem !== undefined && trouble === undefined)
      logger.warn(
        {},
        `whose tokens are cannot be asked: ${problem}; proxies that are known stay for an hour, others have to wait`,
      );
    if (problem === undefined && trouble !== undefined) logger.info({}, "whose tokens are can be asked again");
    trouble = problem;
  };
  return (token: string): Promise<Reviewed> =>
    inTurn(async () => {
      if (clock.monotonicMs() < pausedUntilMs) return failed("unavailable", "whose token it is cannot be asked now");
      const user = await reviewToken(api, token, [audience], REVIEW_TIMEOUT_MS);
      note(user.kind === "failed" && user.code === "unreachable" ? user.message : undefined);
      if (user.kind === "user") return tokenOwner(user);
      if (user.code === "unreachable") return failed("unavailable", "whose token it is cannot be asked now");
      return failed("unproven", user.message);
    });
}
