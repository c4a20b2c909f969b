// consumes: a request's headers, its caller's identity and address
// produces: nothing, or 429 with Retry-After and the limit's name in the response code details
// never does: admit more than burst + rate × time over all workers of the proxy
import {
  Bytes, BytesWriter, continueRequest, defineMetric, FilterHeadersStatus, HttpContext, incrementMetric, isLogged, Json, JsonDocument, literal, logBytes, LogLevel, MetricType,
  monotonicNanoseconds, RootContext, sendLocalReply,
} from "as-proxy-wasm-sdk";
import { hostRequest as request } from "../authz/request";
import { ABSENT, emptySpan, hash, Span, spanOf, viewOf } from "../policy/bytes";
import { scaled } from "../policy/gcra";
import { admitKeyed, admitSingle, events, lastWaitNs, returnKeyed, returnSingle } from "./buckets";
import { Bucket, KeyPart, KeySource, Limit, LimitHeaders, Limits, parseLimits } from "./config";

const BODY = literal("local_rate_limited");
const DETAILS = literal("scrim_rate_limited[");
const LOG_ADMITTED = literal("ratelimit: admitted, limits that matched: ");
const LOG_REFUSED = literal("ratelimit: over ");
const LOG_SHADOW = literal("ratelimit: would refuse (shadow), over ");
const RETRY_AFTER = literal("retry-after");
const DRAFT: Bytes[] = [literal("ratelimit-limit"), literal("ratelimit-remaining"), literal("ratelimit-reset")];
const LEGACY: Bytes[] = [literal("x-ratelimit-limit"), literal("x-ratelimit-remaining"), literal("x-ratelimit-reset")];
/** gRPC's RESOURCE_EXHAUSTED. */
const GRPC_STATUS = 8;

const text = new BytesWriter(512);
const ADDRESS: usize = memory.data(16);

/** One configured set of limits. */
export class RateLimit extends RootContext {
  private limits: Limits = new Limits();
  /** What the limits of the current request took, by limit: the bucket (null: did not match) and the key's hash. */
  private taken: Array<Bucket | null> = [];
  private keys: Array<u64> = [];
  private metrics: StaticArray<u32> = new StaticArray<u32>(5);

  override onConfigure(configuration: Bytes): bool {
    return this.configureFrom(new JsonDocument(configuration, this.region).root);
  }

  /** Takes a configuration that may be a part of a larger one; false refuses it, and the log says why. */
  configureFrom(configuration: Json): bool {
    const limits = parseLimits(configuration);
    const document = configuration.document!;
    if (!document.ok) return this.reject(document.error);
    this.limits = limits;
    this.taken = new Array<Bucket | null>(limits.list.length);
    this.keys = new Array<u64>(limits.list.length);
    const names: string[] = ["allowed", "denied", "shadow_denied", "contended", "evicted"];
    for (let i = 0; i < names.length; i++) this.metrics[i] = defineMetric(MetricType.Counter, Bytes.of("scrim_ratelimit_" + names[i] + "_total"));
    return true;
  }

  override createHttpContext(): HttpContext {
    return new LimitedStream(this);
  }

  /** Decides the current request; returns whether it may pass. */
  decide(): bool {
    request.begin();
    const list = this.limits.list;
    const now = scaled(monotonicNanoseconds());
    let matched = 0;
    for (let i = 0; i < list.length; i++) {
      const limit = unchecked(list[i]);
      unchecked((this.taken[i] = null));
      if (!limit.match.holds(request, false)) continue;
      matched++;
      if (this.admit(i, limit, now)) continue;
      if (limit.shadow) {
        this.report(2, LOG_SHADOW, limit.bucket);
        continue;
      }
      this.giveBack(i, now);
      this.refuse(i, limit);
      return false;
    }
    this.countEvents();
    incrementMetric(this.metrics[0]);
    if (isLogged(LogLevel.Debug)) logBytes(LogLevel.Debug, text.clear().bytes(LOG_ADMITTED).integer(matched).result);
    return true;
  }

  private admit(index: i32, limit: Limit, now: i64): bool {
    let bucket = limit.bucket;
    let keyed = limit.key.length > 0;
    for (let i = 0; i < limit.overrides.length; i++) {
      const own = unchecked(limit.overrides[i]);
      if (!own.principals.holds(request, true)) continue;
      bucket = own.bucket;
      keyed = false;
      break;
    }
    const key = keyed ? keyHash(limit.key, bucket.seed) : 0;
    const admitted = keyed ? admitKeyed(bucket, key, now, limit.cost) : admitSingle(bucket, now, limit.cost);
    if (admitted) {
      unchecked((this.taken[index] = bucket));
      unchecked((this.keys[index] = key));
    } else this.refusedBy = bucket;
    return admitted;
  }

  private refusedBy: Bucket | null = null;

  /** Returns what the limits before `end` took: a request that one limit refuses costs the others nothing. */
  private giveBack(end: i32, now: i64): void {
    for (let i = 0; i < end; i++) {
      const bucket = unchecked(this.taken[i]);
      if (bucket == null) continue;
      const limit = unchecked(this.limits.list[i]);
      const single = bucket != limit.bucket || limit.key.length == 0;
      if (single) returnSingle(bucket, now, limit.cost);
      else returnKeyed(bucket, unchecked(this.keys[i]), now, limit.cost);
    }
  }

  private refuse(index: i32, limit: Limit): void {
    const refusing = this.refusedBy;
    const bucket = refusing == null ? limit.bucket : refusing;
    const seconds = max<i64>(1, (lastWaitNs() + 999_999_999) / 1_000_000_000);
    const headers = this.replyHeaders(bucket, seconds);
    text.clear().bytes(DETAILS).text(limit.bucket.name).byte(0x5d);
    sendLocalReply(429, text.result, BODY, headers, GRPC_STATUS);
    this.report(1, LOG_REFUSED, bucket);
    this.countEvents();
  }

  private report(metric: i32, line: Bytes, bucket: Bucket): void {
    incrementMetric(this.metrics[metric]);
    if (isLogged(LogLevel.Debug)) logBytes(LogLevel.Debug, text.clear().bytes(line).text(bucket.name).result);
  }

  private countEvents(): void {
    if (events.contended > 0) incrementMetric(this.metrics[3], events.contended);
    if (events.evicted > 0) incrementMetric(this.metrics[4], events.evicted);
    events.contended = 0;
    events.evicted = 0;
  }

  /** Retry-After, and the limit's numbers if asked for, in the form the host reads (count, lengths, then name NUL value NUL …). */
  private replyHeaders(bucket: Bucket, seconds: i64): Bytes {
    const wait = Bytes.ofInteger(seconds);
    const style = this.limits.headers;
    const names = style == LimitHeaders.Draft ? DRAFT : LEGACY;
    const burst = Bytes.ofInteger(bucket.rate.burst);
    const zero = Bytes.ofInteger(0);
    const more = style != LimitHeaders.None;
    replyPairs.clear().u32(more ? 4 : 1).u32(RETRY_AFTER.length).u32(wait.length);
    if (more) {
      replyPairs.u32(names[0].length).u32(burst.length).u32(names[1].length).u32(zero.length).u32(names[2].length).u32(wait.length);
    }
    replyPairs.bytes(RETRY_AFTER).byte(0).bytes(wait).byte(0);
    if (more) {
      replyPairs.bytes(names[0]).byte(0).bytes(burst).byte(0).bytes(names[1]).byte(0).bytes(zero).byte(0).bytes(names[2]).byte(0).bytes(wait).byte(0);
    }
    return replyPairs.result;
  }
}

const replyPairs = new BytesWriter(256);

function keyHash(parts: KeyPart[], seed: u64): u64 {
  let state = seed;
  for (let i = 0; i < parts.length; i++) {
    const value = partValue(unchecked(parts[i]));
    state = hash(value == ABSENT ? emptySpan() : value, state);
  }
  return state;
}

function partValue(part: KeyPart): Span {
  switch (part.source) {
    case KeySource.Header:
      return request.joinedHeader(viewOf(part.name));
    case KeySource.Principal:
      return request.principal().name;
    case KeySource.Namespace:
      return request.principal().namespace;
    case KeySource.Path:
      return request.path();
    default: {
      const address = request.peerIp();
      store<u64>(ADDRESS, address.valid ? address.high : 0);
      store<u64>(ADDRESS, address.valid ? address.low : 0, 8);
      return spanOf(ADDRESS, 16);
    }
  }
}

/** One request. */
export class LimitedStream extends HttpContext {
  constructor(private readonly root: RateLimit) {
    super();
  }

  override onRequestHeaders(headers: u32, endOfStream: bool): FilterHeadersStatus {
    return this.root.decide() ? FilterHeadersStatus.Continue : FilterHeadersStatus.StopIteration;
  }

  /** Lets a request go on that `onRequestHeaders` held; a module of several functions runs the others first. */
  resume(): void {
    continueRequest();
  }
}
