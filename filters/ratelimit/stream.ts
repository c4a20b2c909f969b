// One request: which limits it meets, what they say, what the client is told.
import {
  Bytes,
  continueRequest,
  EMPTY,
  FilterHeadersStatus,
  literal,
  monotonicNanoseconds,
  sendLocalReply,
} from "as-proxy-wasm-sdk";
import { hostRequest as request } from "../request/host-request";
import { scaled } from "../policy/gcra";
import { admit, giveBack, lastFillNs, lastLeft, lastWaitNs, lookAt } from "./buckets";
import { Lease, Verdict, Waiter } from "./lease";
import { Bucket, FailureMode, Limit, LimitHeaders } from "./limit";
import { Count, Limiter } from "./limiter";
import { refusalHeaders, secondsUp, Standing, tellStanding } from "./reply";
import { chooseBucket, costOf, keyHash, keyIn } from "./request-key";

const BODY = literal("local_rate_limited");
const GLOBAL_BODY = literal("rate_limited");
const UNAVAILABLE_BODY = literal("rate limit service unavailable");
const UNAVAILABLE_DETAILS = literal("scrim_rate_limit_service_unavailable");
const LOG_ADMITTED = literal("admitted, limits that matched: ");
const LOG_REFUSED = literal("over ");
const LOG_SHADOW = literal("would refuse (shadow), over ");
const LOG_FAILED = literal("no answer from the rate limit service about ");
/** gRPC's RESOURCE_EXHAUSTED. */
const GRPC_EXHAUSTED = 8;
const GRPC_UNAVAILABLE = 14;
const SCALE: i64 = 16;

/** What one limit has to do with the request. */
const enum Part {
  None,
  /** Its bucket gave tokens. */
  Took,
  /** Tokens came of what a service gave. */
  TookLease,
  /** A service is being asked. */
  Waits,
}

/** One request. */
export class LimitedStream extends Waiter {
  /** Whether the request is held until a rate limit service has answered. */
  paused: bool = false;
  private matched: i32 = 0;
  private pending: i32 = 0;
  // by limit
  private readonly parts: StaticArray<Part>;
  private readonly buckets: StaticArray<Bucket | null>;
  private readonly leases: StaticArray<Lease | null>;
  /** Of which key the leases were: one that gave its tokens may be another key's by the time they are given back. */
  private readonly leaseKeys: StaticArray<u64>;
  private readonly keys: StaticArray<u64>;
  private readonly costs: StaticArray<i64>;
  private readonly standing: Standing = new Standing();

  constructor(private readonly root: Limiter) {
    super();
    const count = root.limits.list.length;
    this.parts = new StaticArray<Part>(count);
    this.buckets = new StaticArray<Bucket | null>(count);
    this.leases = new StaticArray<Lease | null>(root.limits.hasGlobal ? count : 0);
    this.leaseKeys = new StaticArray<u64>(root.limits.hasGlobal ? count : 0);
    this.keys = new StaticArray<u64>(count);
    this.costs = new StaticArray<i64>(count);
  }

  override onStart(): void {
    this.paused = false;
    this.standing.clear();
  }

  override onRequestHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    request.begin();
    const limits = this.root.limits;
    const now = scaled(monotonicNanoseconds());
    this.matched = 0;
    this.standing.clear();
    const list = limits.list;
    for (let i = 0; i < list.length; i++) {
      unchecked((this.parts[i] = Part.None));
      const limit = unchecked(list[i]);
      if (limit.global != null || !limit.match.holds(request, false)) continue;
      if (!this.meet(i, limit, now)) return FilterHeadersStatus.StopIteration;
    }
    if (limits.hasGlobal && !this.askAll(now)) return FilterHeadersStatus.StopIteration;
    this.finish(now);
    return FilterHeadersStatus.Continue;
  }

  override onResponseHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    if (this.standing.label.length > 0) tellStanding(this.root.limits.headers, this.standing);
    return FilterHeadersStatus.Continue;
  }

  override onEnd(): void {
    if (this.paused) this.leaveAll();
  }

  /** Lets a request go on that `onRequestHeaders` held; a module of several functions runs the others first. */
  resume(): void {
    continueRequest();
  }

  override onVerdict(index: i32, verdict: Verdict, lease: Lease, now: i64): void {
    if (!this.paused) return;
    this.pending--;
    unchecked((this.parts[index] = Part.None));
    if (!this.obey(index, unchecked(this.root.limits.list[index]), verdict, lease, now)) {
      this.leaveAll();
      return;
    }
    if (this.pending > 0) return;
    this.paused = false;
    this.finish(now);
    this.resume();
  }

  /** The request meets one of this proxy's own limits; false: it is refused. */
  private meet(index: i32, limit: Limit, now: i64): bool {
    this.matched++;
    limit.counts.met();
    const bucket = chooseBucket(limit);
    unchecked((this.keys[index] = keyIn(bucket, limit)));
    return this.take(index, limit, bucket, costOf(limit.cost), now);
  }

  /** Takes the cost out of a bucket; false: the request is refused. */
  private take(index: i32, limit: Limit, bucket: Bucket, cost: i64, now: i64): bool {
    if (cost == 0) return true;
    const key = unchecked(this.keys[index]);
    const isTold = this.root.limits.headers != LimitHeaders.None;
    if (admit(bucket, key, now, cost)) {
      unchecked((this.parts[index] = Part.Took));
      unchecked((this.buckets[index] = bucket));
      unchecked((this.costs[index] = cost));
      lookAt(bucket, key, now);
      limit.counts.admitted(lastLeft(), bucket.rate.burst);
      if (isTold) this.tell(bucket);
      return true;
    }
    limit.counts.over(limit.shadow);
    if (limit.shadow) {
      this.report(Count.ShadowDenied, LOG_SHADOW, bucket.name, now);
      return true;
    }
    const waitSeconds = max<i64>(1, secondsUp(lastWaitNs()));
    this.giveBackAll(now);
    if (isTold) {
      this.standing.clear();
      lookAt(bucket, key, now);
      this.tell(bucket);
      this.standing.resetSeconds = waitSeconds;
    }
    this.refuse(limit, BODY, waitSeconds);
    this.report(Count.Denied, LOG_REFUSED, bucket.name, now);
    return false;
  }

  /** The client is to hear of the bucket that was looked at last. */
  private tell(bucket: Bucket): void {
    const rate = bucket.rate;
    this.standing.narrow(bucket.label, rate.burst, lastLeft(), secondsUp(rate.depth / SCALE), secondsUp(lastFillNs()));
  }

  /** The request meets the limits that services decide; false: it is refused, or waits. */
  private askAll(now: i64): bool {
    const list = this.root.limits.list;
    this.pending = 0;
    for (let i = 0; i < list.length; i++) {
      const limit = unchecked(list[i]);
      if (limit.global == null || !limit.match.holds(request, false)) continue;
      this.matched++;
      limit.counts.met();
      if (this.askFor(i, limit, now)) continue;
      this.leaveAll();
      return false;
    }
    this.paused = this.pending > 0;
    return !this.paused;
  }

  private askFor(index: i32, limit: Limit, now: i64): bool {
    const bucket = chooseBucket(limit);
    const cost = costOf(limit.cost);
    if (cost == 0) return true;
    // what the failure mode may need: nothing of the request is read again once it waited
    unchecked((this.buckets[index] = bucket));
    unchecked((this.keys[index] = keyIn(bucket, limit)));
    unchecked((this.costs[index] = cost));
    const tier = this.root.tier;
    const lease = tier.find(limit.global!, keyHash(limit.bucket.seed + 1, limit.key.length), now);
    if (lease == null) return this.goWithout(index, limit, now);
    let verdict = tier.decide(lease, cost, now, limit);
    if (verdict == Verdict.Wait && !tier.ask(lease, cost, now, limit)) verdict = Verdict.Fail;
    if (verdict != Verdict.Wait) return this.obey(index, limit, verdict, lease, now);
    if (limit.shadow) return true; // the answer is for those who come later
    unchecked((this.parts[index] = Part.Waits));
    unchecked((this.leases[index] = lease));
    tier.wait(lease, this, index, cost);
    this.pending++;
    return true;
  }

  /** Does what a verdict about a global limit says; false: the request is refused. */
  private obey(index: i32, limit: Limit, verdict: Verdict, lease: Lease, now: i64): bool {
    if (verdict == Verdict.Fail) return this.goWithout(index, limit, now);
    const resetSeconds = secondsUp(max<i64>(0, lease.resetsAt - now) / SCALE);
    const isTold = this.root.limits.headers != LimitHeaders.None && lease.limit > 0;
    if (verdict == Verdict.Admit) {
      unchecked((this.parts[index] = Part.TookLease));
      unchecked((this.leases[index] = lease));
      unchecked((this.leaseKeys[index] = lease.key));
      if (lease.limit > 0) limit.counts.admitted(max<i64>(0, lease.room) + lease.tokens, lease.limit);
      if (isTold)
        this.standing.narrow(
          limit.bucket.label,
          lease.limit,
          max<i64>(0, lease.room) + lease.tokens,
          lease.unitSeconds,
          resetSeconds,
        );
      return true;
    }
    limit.counts.over(limit.shadow);
    if (limit.shadow) {
      this.report(Count.ShadowDenied, LOG_SHADOW, limit.bucket.name, now);
      return true;
    }
    this.giveBackAll(now);
    const waitSeconds = max<i64>(1, resetSeconds > 0 ? resetSeconds : secondsUp((lease.refusedUntil - now) / SCALE));
    this.standing.clear();
    if (isTold) this.standing.narrow(limit.bucket.label, lease.limit, 0, lease.unitSeconds, waitSeconds);
    this.refuse(limit, GLOBAL_BODY, waitSeconds);
    this.report(Count.Denied, LOG_REFUSED, limit.bucket.name, now);
    return false;
  }

  /** There is no answer: the failure mode decides. */
  private goWithout(index: i32, limit: Limit, now: i64): bool {
    if (this.root.logs(now)) this.root.log(LOG_FAILED, limit.bucket.name);
    const failure = limit.global!.failure;
    if (failure == FailureMode.Open || (failure == FailureMode.Closed && limit.shadow)) return true;
    if (failure == FailureMode.Local)
      return this.take(index, limit, unchecked(this.buckets[index])!, unchecked(this.costs[index]), now);
    this.giveBackAll(now);
    this.standing.clear();
    this.root.increment(Count.Denied);
    this.root.countEvents();
    sendLocalReply(503, UNAVAILABLE_DETAILS, UNAVAILABLE_BODY, EMPTY, GRPC_UNAVAILABLE);
    return false;
  }

  private finish(now: i64): void {
    const root = this.root;
    root.countEvents();
    root.increment(Count.Allowed);
    if (root.logs(now)) root.logNumber(LOG_ADMITTED, this.matched);
  }

  private refuse(limit: Limit, body: Bytes, retrySeconds: i64): void {
    sendLocalReply(
      limit.status,
      limit.details,
      body,
      refusalHeaders(this.root.limits.headers, this.standing, retrySeconds, limit),
      GRPC_EXHAUSTED,
    );
    this.standing.clear();
    this.root.countEvents();
  }

  private report(count: Count, what: Bytes, name: string, now: i64): void {
    this.root.increment(count);
    if (this.root.logs(now)) this.root.log(what, name);
  }

  /** A request that one limit refuses costs the others nothing. */
  private giveBackAll(now: i64): void {
    for (let i = 0; i < this.parts.length; i++) {
      const part = unchecked(this.parts[i]);
      if (part == Part.Took)
        giveBack(unchecked(this.buckets[i])!, unchecked(this.keys[i]), now, unchecked(this.costs[i]));
      else if (part == Part.TookLease) {
        const lease = unchecked(this.leases[i])!;
        if (lease.key == unchecked(this.leaseKeys[i])) lease.tokens += unchecked(this.costs[i]);
      }
      if (part != Part.Waits) unchecked((this.parts[i] = Part.None));
    }
  }

  /** Waits for nothing any more. */
  private leaveAll(): void {
    this.paused = false;
    for (let i = 0; i < this.parts.length; i++) {
      if (unchecked(this.parts[i]) == Part.Waits) this.root.tier.leave(unchecked(this.leases[i])!, this);
    }
  }
}
