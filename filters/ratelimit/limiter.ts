// What is configured and counted once for all requests.
import {
  Bytes,
  BytesWriter,
  defineMetric,
  incrementMetric,
  isLogged,
  Json,
  JsonDocument,
  literal,
  logBytes,
  LogLevel,
  MetricType,
  RootContext,
} from "as-proxy-wasm-sdk";
import { events } from "./buckets";
import { parseLimits } from "./config";
import { GlobalTier } from "./global";
import { prepareHeld } from "./held";
import { Limits } from "./limit";
import { prepareKeys } from "./request-key";

/** What is counted, in the order of their names below. */
export enum Count {
  Allowed,
  Denied,
  ShadowDenied,
  Contended,
  Evicted,
  GlobalCalls,
  GlobalFailures,
}

const NAMES: string[] = [
  "allowed",
  "denied",
  "shadow_denied",
  "contended",
  "evicted",
  "global_calls",
  "global_failures",
];
/** For how long the answer to "is debug logged?" is believed, in scaled time: 50 ms. */
const LEVEL_AGE: i64 = 16 * 50_000_000;
const LOG = literal("ratelimit: ");

const text = new BytesWriter(512);

/** One configured set of limits: what all its streams share. */
export abstract class Limiter extends RootContext {
  limits: Limits = new Limits();
  readonly tier: GlobalTier = new GlobalTier();
  private metrics: StaticArray<u32> = new StaticArray<u32>(NAMES.length);
  private isDebug: bool = false;
  private levelReadAt: i64 = i64.MIN_VALUE;

  override onConfigure(configuration: Bytes): bool {
    return this.configureFrom(new JsonDocument(configuration, this.region).root);
  }

  /** Takes a configuration that may be a part of a larger one; false refuses it, and the log says why. */
  configureFrom(configuration: Json): bool {
    const limits = parseLimits(configuration);
    const document = configuration.document!;
    if (!document.ok) return this.reject(document.error);
    this.limits = limits;
    prepareKeys(limits.mostParts);
    if (limits.mostParts > 0) prepareHeld();
    for (let i = 0; i < limits.list.length; i++) limits.list[i].counts.define(limits.list[i].bucket.name);
    for (let i = 0; i < NAMES.length; i++)
      this.metrics[i] = defineMetric(MetricType.Counter, Bytes.of("scrim_ratelimit_" + NAMES[i] + "_total"));
    return true;
  }

  override onGrpcMessage(token: u32, size: u32): void {
    this.tier.onMessage(token, size);
    this.countEvents();
  }

  override onGrpcClose(token: u32, status: u32): void {
    this.tier.onClose(token);
    this.countEvents();
  }

  /** Counts a decision. */
  // @ts-ignore: decorator
  @inline
  increment(count: Count): void {
    incrementMetric(unchecked(this.metrics[count]));
  }

  /** Counts what happened beside the decisions. */
  countEvents(): void {
    if ((events.contended | events.evicted | this.tier.calls | this.tier.failures) == 0) return;
    this.addTo(Count.Contended, events.contended);
    this.addTo(Count.Evicted, events.evicted);
    this.addTo(Count.GlobalCalls, this.tier.calls);
    this.addTo(Count.GlobalFailures, this.tier.failures);
    events.contended = 0;
    events.evicted = 0;
    this.tier.calls = 0;
    this.tier.failures = 0;
  }

  private addTo(count: Count, by: i64): void {
    if (by > 0) incrementMetric(this.metrics[count], by);
  }

  /** Returns whether decisions are to be logged. Asked of the host now and then only. */
  logs(now: i64): bool {
    if (now - this.levelReadAt >= LEVEL_AGE || this.levelReadAt == i64.MIN_VALUE) {
      this.levelReadAt = now;
      this.isDebug = isLogged(LogLevel.Debug);
    }
    return this.isDebug;
  }

  /** Writes `ratelimit: <what><number>` at debug level. */
  logNumber(what: Bytes, value: i64): void {
    logBytes(LogLevel.Debug, text.clear().bytes(LOG).bytes(what).integer(value).result);
  }

  /** Writes `ratelimit: <what><name>` at debug level. */
  log(what: Bytes, name: string): void {
    logBytes(LogLevel.Debug, text.clear().bytes(LOG).bytes(what).text(name).result);
  }
}
