// What one worker knows of one key that a rate limit service decides, and who waits to hear of it.
import { BytesWriter, HttpContext } from "as-proxy-wasm-sdk";
import { GlobalQuota } from "./limit";

/** What comes of a request's asking for tokens. */
export enum Verdict {
  Admit,
  Refuse,
  /** The service does not answer. */
  Fail,
  /** The answer comes later: `Waiter.onVerdict`. */
  Wait,
}

/** A stream that can wait for answers. */
export abstract class Waiter extends HttpContext {
  /** The answer about the `index`-th limit has come. The stream is the effective context. */
  abstract onVerdict(index: i32, verdict: Verdict, lease: Lease, now: i64): void;
}

/** One stream's place in the line before a key. */
export class Place {
  /** Null: it went away. */
  stream: Waiter | null = null;
  streamId: u32 = 0;
  index: i32 = 0;
  cost: i64 = 0;
  next: Place | null = null;
}

/** What this worker has of one key of the global quota. Times are scaled. */
export class Lease {
  key: u64 = 0;
  quota: GlobalQuota | null = null;
  /** Tokens that the service counted already, ours until `expires`. */
  tokens: i64 = 0;
  expires: i64 = 0;
  /** The service refused `refusedHits`: nobody who wants as many needs to ask until then. */
  refusedUntil: i64 = 0;
  refusedHits: i64 = 0;
  failedUntil: i64 = 0;
  /** What was left at the service, -1 unknown. */
  room: i64 = -1;
  /** When the service's window ends, 0 unknown. */
  resetsAt: i64 = 0;
  limit: i64 = 0;
  unitSeconds: i64 = 0;
  /** Tokens asked for last. */
  asked: i64 = 0;
  /** The call under way, 0: none. */
  token: u32 = 0;
  usedAt: i64 = 0;
  /** While the service is being asked: the encoded descriptor. */
  descriptor: BytesWriter | null = null;
  first: Place | null = null;
  last: Place | null = null;
  next: Lease | null = null;

  get isIdle(): bool {
    return this.token == 0 && this.first == null;
  }

  /** Whether nothing it holds counts any more. */
  isOld(now: i64): bool {
    return this.expires < now && this.refusedUntil < now && this.failedUntil < now;
  }

  begin(key: u64, quota: GlobalQuota): void {
    this.key = key;
    this.quota = quota;
    this.tokens = 0;
    this.expires = 0;
    this.refusedUntil = 0;
    this.failedUntil = 0;
    this.room = -1;
    this.resetsAt = 0;
    this.limit = 0;
    this.asked = 0;
  }
}
