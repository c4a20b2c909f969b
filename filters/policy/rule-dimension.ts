// consumes: conditions of rules (when configured) and a request (when one is decided)
// produces: keys such that a condition that holds for a request shares one with it
// never does: decide: a shared key says "look", not "matches"
import { Condition } from "./authorization-condition";
import { AuthorizationRequest, Subject } from "./authorization-request";
import { ABSENT, addressOf, cut, lengthOf, Span, spanOf, viewOf } from "./bytes";
import { IpAddress } from "./cidr";
import { ClaimKind, ClaimPath, ClaimValue } from "./jwt-claims";
import { isTemplate } from "./path-template";
import { AccountReadings, NamespaceReadings } from "./principal-readings";
import { HeaderReadings, HostReadings } from "./readings";
import { hasLenientText, LenientForm, lenientText } from "./request-text";
import { SpanList } from "./span-list";
import { hashByte, TEXT_HASH, textHash } from "./text-set";

/** Longer prefixes are told apart by this many bytes only. */
const LONGEST_PREFIX = 128;
const SLASH: u8 = 0x2f;

const values = new SpanList();
const hosts = new HostReadings();
const headers = new HeaderReadings();
const namespaces = new NamespaceReadings();
const accounts = new AccountReadings();
const claim = new ClaimValue();

let buffer: StaticArray<u8> = new StaticArray<u8>(256);

/** Returns the UTF-8 bytes of a text, valid until the next call: nothing is collected while a configuration is read. */
function encoded(text: string): Span {
  const length = String.UTF8.byteLength(text);
  if (buffer.length < length) buffer = new StaticArray<u8>(length * 2);
  String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, changetype<usize>(buffer));
  return spanOf(changetype<usize>(buffer), length);
}

/** Keys, in memory that is used again. */
export class KeyList {
  count: i32 = 0;
  private items: StaticArray<u64> = new StaticArray<u64>(64);

  push(key: u64): void {
    if (this.count == this.items.length) {
      const larger = new StaticArray<u64>(this.count * 2);
      memory.copy(changetype<usize>(larger), changetype<usize>(this.items), this.count * sizeof<u64>());
      this.items = larger;
    }
    unchecked((this.items[this.count++] = key));
  }

  /** Returns the key at `index`, which must be below `count`. */
  at(index: i32): u64 {
    return unchecked(this.items[index]);
  }
}

/** Whoever takes the keys of a request. */
export abstract class KeyTaker {
  abstract take(key: u64): void;
}

/** One thing that rules are found by: a subject, and for headers and claims its name. */
export class Dimension {
  /** Whether some rule is found by it. */
  used: bool = false;
  private readonly seed: u64;
  /** Longer values are none of the keys. */
  private longest: i32 = 0;
  /** Lengths of prefixes (paths, addresses) among the keys. */
  private readonly lengths: StaticArray<bool> = new StaticArray<bool>(LONGEST_PREFIX + 1);
  private longestPrefix: i32 = -1;

  constructor(
    readonly number: i32,
    readonly subject: Subject,
    readonly name: StaticArray<u8>,
    readonly claim: ClaimPath | null,
    /** Whether the rules let in: then a request is read in one way only. */
    private readonly permits: bool,
  ) {
    this.seed = hashByte(hashByte(TEXT_HASH, u8(number)), 0xff);
  }

  /**
   * Adds the keys of a condition; false where it may hold for a request that has no such key. Configuration time only.
   */
  addKeysOf(condition: Condition, keys: KeyList): bool {
    const before = keys.count;
    if (condition.negated) return false;
    for (let i = 0; i < condition.ports.length; i++) keys.push(this.numberKey(u64(condition.ports[i])));
    for (let i = 0; i < condition.blocks.length; i++) {
      const block = condition.blocks[i];
      keys.push(this.addressKey(block.prefix, block.high, block.low));
    }
    for (let i = 0; i < condition.patterns.length; i++) {
      if (!this.addPattern(condition.patterns[i], keys)) return false;
    }
    return keys.count > before;
  }

  /** Gives away every key of a request under which a rule could have been put that matches it. */
  collect(request: AuthorizationRequest, taker: KeyTaker): void {
    switch (this.subject) {
      case Subject.Namespace:
        return this.namespaces(request, taker);
      case Subject.ServiceAccount:
        return this.accounts(request, taker);
      case Subject.PeerIp:
      case Subject.RemoteIp:
      case Subject.DestinationIp:
        return this.address(request.address(this.subject), taker);
      case Subject.DestinationPort:
        return taker.take(this.numberKey(u64(request.destinationPort())));
      case Subject.Host:
        return this.hosts(request.authority(), taker);
      case Subject.Path:
        return this.paths(request, taker);
      case Subject.Header:
        return this.header(request, taker);
      case Subject.Claim:
        return this.claims(request, taker);
      default:
        return this.text(request.text(this.subject), taker);
    }
  }

  private addPattern(pattern: string, keys: KeyList): bool {
    if (this.subject == Subject.Path) return this.addPath(pattern, keys);
    if (pattern.includes("*")) return false;
    if (
      this.subject == Subject.Claim &&
      !this.permits &&
      (pattern == "true" || pattern == "false" || isFinite(parseFloat(pattern)))
    )
      return false;
    keys.push(this.textKey(pattern));
    return true;
  }

  /** Of a template the literal beginning counts. A refusal is also found by what a lenient application reads. */
  private addPath(pattern: string, keys: KeyList): bool {
    if (!this.permits && hasLenientText(pattern)) {
      const decoded = lenientText(pattern, LenientForm.Decoded);
      const merged = lenientText(pattern, LenientForm.SlashesFirst);
      if (decoded != pattern && !this.addPlainPath(decoded, keys)) return false;
      if (merged != pattern && !this.addPlainPath(merged, keys)) return false;
    }
    return this.addPlainPath(pattern, keys);
  }

  private addPlainPath(pattern: string, keys: KeyList): bool {
    if (pattern.startsWith("*")) return false;
    const end = isTemplate(pattern) ? pattern.indexOf("{") : pattern.endsWith("*") ? pattern.length - 1 : -1;
    if (end < 0) keys.push(this.textKey(pattern));
    else if (end < 2) return false;
    else keys.push(this.prefixKey(pattern.substring(0, end)));
    return true;
  }

  private textKey(text: string): u64 {
    const bytes = encoded(text);
    this.longest = max(this.longest, lengthOf(bytes));
    return textHash(bytes, this.seed, this.subject == Subject.Host);
  }

  /** The key of all that begins so: the state of the hash there, turned so that it is no exact one's. */
  private prefixKey(text: string): u64 {
    const bytes = encoded(text);
    const length = min(lengthOf(bytes), LONGEST_PREFIX);
    this.lengths[length] = true;
    this.longestPrefix = max(this.longestPrefix, length);
    return ~textHash(cut(bytes, 0, length), this.seed, false);
  }

  private numberKey(value: u64): u64 {
    return (this.seed ^ value) * 0x9e3779b97f4a7c15;
  }

  private addressKey(prefix: i32, high: u64, low: u64): u64 {
    this.lengths[prefix] = true;
    return this.hashAddress(prefix, high, low);
  }

  private hashAddress(prefix: i32, high: u64, low: u64): u64 {
    return (
      ((((this.seed ^ u64(prefix)) * 0x9e3779b97f4a7c15) ^ rotl(high, 17)) * 0xc2b2ae3d27d4eb4f) ^
      (low * 0x9e3779b185ebca87)
    );
  }

  private text(value: Span, taker: KeyTaker): void {
    if (value != ABSENT && lengthOf(value) <= this.longest)
      taker.take(textHash(value, this.seed, this.subject == Subject.Host));
  }

  private namespaces(request: AuthorizationRequest, taker: KeyTaker): void {
    if (this.permits) return this.text(request.principal().namespace, taker);
    namespaces.begin(request.principal().name);
    while (namespaces.next()) this.text(namespaces.reading, taker);
  }

  private accounts(request: AuthorizationRequest, taker: KeyTaker): void {
    const principal = request.principal();
    if (this.permits) {
      if (principal.serviceAccount == ABSENT) return;
      return taker.take(this.accountKey(principal.namespace, principal.serviceAccount));
    }
    accounts.begin(principal.name);
    while (accounts.next()) taker.take(this.accountKey(accounts.namespaces.reading, accounts.account));
  }

  private accountKey(namespace: Span, name: Span): u64 {
    return textHash(name, hashByte(textHash(namespace, this.seed, false), SLASH), false);
  }

  private address(address: IpAddress, taker: KeyTaker): void {
    if (!address.valid) return;
    for (let prefix = 0; prefix <= 128; prefix++) {
      if (!unchecked(this.lengths[prefix])) continue;
      const high = prefix >= 64 ? address.high : prefix == 0 ? 0 : address.high & (u64.MAX_VALUE << (64 - prefix));
      const low = prefix <= 64 ? 0 : prefix == 128 ? address.low : address.low & (u64.MAX_VALUE << (128 - prefix));
      taker.take(this.hashAddress(prefix, high, low));
    }
  }

  private paths(request: AuthorizationRequest, taker: KeyTaker): void {
    const path = request.path();
    this.path(path, taker);
    if (this.permits || request.lenientPath(LenientForm.SlashesFirst) == path) return;
    this.path(request.lenientPath(LenientForm.SlashesFirst), taker);
    this.path(request.lenientPath(LenientForm.DotsFirst), taker);
    this.path(request.lenientPath(LenientForm.Decoded), taker);
  }

  private path(path: Span, taker: KeyTaker): void {
    this.text(path, taker);
    const length = min(lengthOf(path), this.longestPrefix);
    const at = addressOf(path);
    let state = this.seed;
    for (let i = 0; i < length; i++) {
      state = hashByte(state, load<u8>(at + i));
      if (unchecked(this.lengths[i + 1])) taker.take(~state);
    }
  }

  private hosts(authority: Span, taker: KeyTaker): void {
    if (this.permits) return this.text(authority, taker);
    hosts.begin(authority);
    while (hosts.next()) this.text(hosts.reading, taker);
  }

  private header(request: AuthorizationRequest, taker: KeyTaker): void {
    if (this.permits) {
      // What lets in must match every line, so the first one too.
      values.count = 0;
      request.headerValues(viewOf(this.name), values);
      if (values.count > 0) this.text(values.at(0), taker);
      return;
    }
    headers.begin(request, viewOf(this.name));
    while (headers.next()) this.text(headers.reading, taker);
  }

  private claims(request: AuthorizationRequest, taker: KeyTaker): void {
    const path = this.claim;
    if (path == null) return;
    request.metadata(path, claim);
    if (claim.kind == ClaimKind.Text) this.text(claim.text, taker);
    else if (claim.kind == ClaimKind.List)
      for (let i = 0; i < claim.items.count; i++) this.text(claim.items.at(i), taker);
    else if (claim.kind == ClaimKind.Odd && !this.permits) this.text(claim.raw, taker);
  }
}
