// consumes: keys and costs of limits that all proxies share, the rate limit service's answers
// produces: verdicts, at once from tokens that were taken ahead, or when the service has answered
// never does: ask for every request; ask twice at once for one key; believe an answer for longer than the limit's
// staleness; keep more than HEADS × WAYS keys
import {
  BufferType,
  BytesWriter,
  EMPTY,
  enterStream,
  grpcCall,
  literal,
  monotonicNanoseconds,
  readBuffer,
} from "as-proxy-wasm-sdk";
import { viewOf } from "../policy/bytes";
import { scaled } from "../policy/gcra";
import { Lease, Place, Verdict, Waiter } from "./lease";
import { GlobalQuota, Limit } from "./limit";
import { ServiceAnswer, writeEntry, writeRequest } from "./rate-limit-service";
import { keyValue } from "./request-key";

const SERVICE = literal("envoy.service.ratelimit.v3.RateLimitService");
const METHOD = literal("ShouldRateLimit");
// A worker keeps answers for up to HEADS × WAYS keys, by their hash. Where a row is full the one that was not used for
// longest gives way; where all of a row are waiting for answers, the failure mode decides.
const HEADS: i32 = 256;
const WAYS: i32 = 8;

const message = new BytesWriter(512);
const answer = new ServiceAnswer();

/** The global limits of one configuration on one worker. */
export class GlobalTier {
  /** Calls made and calls that failed since they were last counted; read and reset by the filter. */
  calls: i64 = 0;
  failures: i64 = 0;
  private readonly heads: StaticArray<Lease | null> = new StaticArray<Lease | null>(HEADS);
  private readonly asking: Array<Lease> = [];
  private freePlace: Place | null = null;
  private readonly freeWriters: Array<BytesWriter> = [];

  /** Returns what is known of a key, or null when there is no room. */
  find(quota: GlobalQuota, key: u64, now: i64): Lease | null {
    const head = i32(key & (HEADS - 1));
    let idlest: Lease | null = null;
    let length = 0;
    let found = unchecked(this.heads[head]);
    while (found != null) {
      if (found.key == key) {
        found.usedAt = now;
        return found;
      }
      if (found.isIdle && (idlest == null || found.usedAt < idlest.usedAt)) idlest = found;
      found = found.next;
      length++;
    }
    if (idlest == null || (length < WAYS && !idlest.isOld(now))) {
      if (length == WAYS) return null;
      idlest = new Lease();
      idlest.next = unchecked(this.heads[head]);
      unchecked((this.heads[head] = idlest));
    }
    idlest.begin(key, quota);
    idlest.usedAt = now;
    return idlest;
  }

  /**
   * Returns what this worker can say at once; Wait means that the service is to be asked (`ask`, then `wait`). `limit`:
   * that of the current request, whose key was read last; null when there is none.
   */
  decide(lease: Lease, cost: i64, now: i64, limit: Limit | null): Verdict {
    if (now < lease.expires && lease.tokens >= cost) {
      lease.tokens -= cost;
      // ask again before the last ones are gone, where there are many
      if (
        limit != null &&
        lease.token == 0 &&
        lease.asked >= 8 &&
        lease.tokens < lease.asked / 4 &&
        lease.room > lease.asked
      )
        this.ask(lease, 1, now, limit);
      return Verdict.Admit;
    }
    if (now < lease.refusedUntil && cost >= lease.refusedHits) return Verdict.Refuse;
    if (now < lease.failedUntil) return Verdict.Fail;
    return Verdict.Wait;
  }

  /**
   * Asks the service for at least `cost` tokens unless it is being asked already; false when there is nobody to ask.
   */
  ask(lease: Lease, cost: i64, now: i64, limit: Limit | null): bool {
    if (lease.token != 0) return true;
    if (limit != null) this.describe(lease, limit);
    const quota = lease.quota!;
    const hits = this.hitsFor(lease, cost, now);
    writeRequest(message, quota.domain, lease.descriptor!.result, u32(hits));
    this.calls++;
    const token = grpcCall(0, quota.cluster, SERVICE, METHOD, message.result, quota.timeoutMs, EMPTY, quota.authority);
    if (token == 0) {
      this.fail(lease, now);
      this.rest(lease);
      return false;
    }
    lease.token = token;
    lease.asked = hits;
    this.asking.push(lease);
    return true;
  }

  /** Puts a stream in line for the lease's next answer. */
  wait(lease: Lease, stream: Waiter, index: i32, cost: i64): void {
    let place = this.freePlace;
    if (place == null) place = new Place();
    else this.freePlace = place.next;
    place.stream = stream;
    place.streamId = stream.id;
    place.index = index;
    place.cost = cost;
    place.next = null;
    const last = lease.last;
    if (last == null) lease.first = place;
    else last.next = place;
    lease.last = place;
  }

  /** Takes a stream out of a line. */
  leave(lease: Lease, stream: Waiter): void {
    let place = lease.first;
    while (place != null) {
      if (place.stream == stream) place.stream = null;
      place = place.next;
    }
  }

  /** An answer of the service, to be found in the buffer. */
  onMessage(token: u32, size: u32): void {
    const lease = this.takeAsking(token);
    if (lease == null) return;
    const now = scaled(monotonicNanoseconds());
    if (answer.read(readBuffer(BufferType.GrpcReceiveBuffer, 0, size))) this.learn(lease, now);
    else this.fail(lease, now);
    this.settle(lease, now);
  }

  /** A call failed. */
  onClose(token: u32): void {
    const lease = this.takeAsking(token);
    if (lease == null) return;
    const now = scaled(monotonicNanoseconds());
    this.fail(lease, now);
    this.settle(lease, now);
  }

  /**
   * How many tokens to take: what those in line want; ahead of that an eighth of what is left at the service (twice as
   * many as last time where it does not say), at most the limit's lease; after a refusal no more than is needed.
   */
  private hitsFor(lease: Lease, cost: i64, now: i64): i64 {
    if (now < lease.refusedUntil) return cost;
    let wanted: i64 = 0;
    let place = lease.first;
    while (place != null) {
      if (place.stream != null) wanted += place.cost;
      place = place.next;
    }
    if (lease.room >= 0 && (lease.resetsAt == 0 || now < lease.resetsAt)) wanted = min(wanted, lease.room);
    const ahead = lease.room >= 0 ? lease.room / 8 : lease.asked * 2;
    return min<i64>(max(cost, max(wanted, min(ahead, lease.quota!.lease))), u32.MAX_VALUE);
  }

  private learn(lease: Lease, now: i64): void {
    const until =
      now + (answer.resetNs > 0 ? min(lease.quota!.staleness, scaled(answer.resetNs)) : lease.quota!.staleness);
    lease.room = answer.remaining;
    lease.limit = answer.limit;
    lease.unitSeconds = answer.unitSeconds;
    lease.resetsAt = answer.resetNs > 0 ? now + scaled(answer.resetNs) : 0;
    if (answer.isOver) {
      lease.refusedUntil = until;
      lease.refusedHits = lease.asked;
      return;
    }
    lease.tokens = (now < lease.expires ? lease.tokens : 0) + lease.asked;
    lease.expires = until;
    lease.refusedUntil = 0;
  }

  private fail(lease: Lease, now: i64): void {
    this.failures++;
    lease.failedUntil = now + lease.quota!.staleness;
  }

  /**
   * Tells those in line, first come first served, as long as there is something to tell them; asks again for the
   * others.
   */
  private settle(lease: Lease, now: i64): void {
    for (let place = lease.first; place != null; place = lease.first) {
      const stream = place.stream;
      // a stream that is gone may not have said so yet: what it wanted is for the others
      if (stream == null || !enterStream(place.streamId)) {
        this.remove(lease, place);
        continue;
      }
      const verdict = this.decide(lease, place.cost, now, null);
      if (verdict == Verdict.Wait) {
        if (this.ask(lease, place.cost, now, null)) return;
        continue; // nobody to ask any more: the next decision says so
      }
      const index = place.index;
      this.remove(lease, place);
      stream.onVerdict(index, verdict, lease, now);
    }
    this.rest(lease);
  }

  private describe(lease: Lease, limit: Limit): void {
    const given = lease.descriptor;
    const writer = given != null ? given : this.freeWriters.length > 0 ? this.freeWriters.pop() : new BytesWriter(128);
    lease.descriptor = writer;
    writer.clear().bytes(limit.global!.constants);
    for (let i = 0; i < limit.key.length; i++) writeEntry(writer, viewOf(limit.key[i].entry), keyValue(i));
  }

  /** Gives the descriptor back when nobody waits. */
  private rest(lease: Lease): void {
    const writer = lease.descriptor;
    if (writer == null || !lease.isIdle) return;
    this.freeWriters.push(writer);
    lease.descriptor = null;
  }

  private remove(lease: Lease, place: Place): void {
    lease.first = place.next;
    if (lease.first == null) lease.last = null;
    place.stream = null;
    place.next = this.freePlace;
    this.freePlace = place;
  }

  private takeAsking(token: u32): Lease | null {
    const asking = this.asking;
    for (let i = 0; i < asking.length; i++) {
      const lease = unchecked(asking[i]);
      if (lease.token != token) continue;
      lease.token = 0;
      unchecked((asking[i] = asking[asking.length - 1]));
      asking.pop();
      return lease;
    }
    return null;
  }
}
