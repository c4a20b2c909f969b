// consumes: addresses as text, IPv4 and IPv6, with or without port; blocks in CIDR notation
// produces: whether an address lies in a block
// never does: allocate while matching, accept text that is not wholly an address
import { addressOf, cut, indexOf, lengthOf, parseDecimal, Span, utf8, viewOf } from "./bytes";

/** An address as 128 bits, IPv4 as ::ffff:a.b.c.d, so that both families compare alike. */
export class IpAddress {
  high: u64 = 0;
  low: u64 = 0;
  /** Whether `high` and `low` hold an address. */
  valid: bool = false;

  /**
   * Reads `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]:80`, `fe80::1%eth0` (the zone is dropped). IPv4-mapped IPv6 becomes
   * IPv4. Sets `valid`.
   */
  read(text: Span): void {
    this.valid = false;
    this.high = 0;
    const length = lengthOf(text);
    if (length > 0 && load<u8>(addressOf(text)) == 0x5b) {
      const close = indexOf(text, 0x5d, 1);
      this.valid = close > 0 && this.readV6(cut(text, 1, close));
      return;
    }
    const colon = indexOf(text, 0x3a, 0);
    if (colon >= 0 && indexOf(text, 0x3a, colon + 1) >= 0) {
      this.valid = this.readV6(text);
      return;
    }
    const value = readV4(colon >= 0 ? cut(text, 0, colon) : text);
    this.valid = value >= 0;
    if (this.valid) this.low = 0xffff_0000_0000 | u64(value);
  }

  private readV6(text: Span): bool {
    const zone = indexOf(text, 0x25, 0);
    const end = zone >= 0 ? zone : lengthOf(text);
    const groups = GROUPS_READER;
    groups.count = 0;
    groups.gap = -1;
    let at = 0;
    if (end >= 2 && byteAt(text, 0) == 0x3a) {
      if (byteAt(text, 1) != 0x3a) return false;
      groups.gap = 0;
      at = 2;
    }
    while (at < end) {
      const colon = indexOf(cut(text, 0, end), 0x3a, at);
      const stop = colon >= 0 ? colon : end;
      const part = cut(text, at, stop);
      if (colon < 0 && indexOf(part, 0x2e, 0) >= 0) {
        if (!groups.pushV4(readV4(part))) return false;
      } else if (!groups.push(readHex(part))) return false;
      at = stop;
      if (at < end) {
        at++;
        if (at == end) return false; // ends with a single colon
        if (byteAt(text, at) == 0x3a) {
          if (groups.gap >= 0) return false;
          groups.gap = groups.count;
          at++;
        }
      }
    }
    if (!groups.complete()) return false;
    this.high = groups.word(0);
    this.low = groups.word(4);
    return true;
  }
}

/** The 16-bit groups of an IPv6 address while it is read. One is kept for all reads. */
class V6Groups {
  count: i32 = 0;
  /** Index of the group before which `::` stands, or -1. */
  gap: i32 = -1;

  push(value: i32): bool {
    if (value < 0 || this.count >= 8) return false;
    store<u16>(GROUPS + this.count * 2, u16(value));
    this.count++;
    return true;
  }

  pushV4(value: i64): bool {
    return value >= 0 && this.push(i32(value >> 16)) && this.push(i32(value & 0xffff));
  }

  /** Fills the gap with zeros; returns whether there are 8 groups then. */
  complete(): bool {
    if (this.gap < 0) return this.count == 8;
    if (this.count > 7) return false;
    const moved = this.count - this.gap;
    const target = 8 - moved;
    memory.copy(GROUPS + target * 2, GROUPS + this.gap * 2, moved * 2);
    memory.fill(GROUPS + this.gap * 2, 0, (target - this.gap) * 2);
    return true;
  }

  word(from: i32): u64 {
    let value: u64 = 0;
    for (let i = from; i < from + 4; i++) value = (value << 16) | u64(load<u16>(GROUPS + i * 2));
    return value;
  }
}

const GROUPS: usize = memory.data(16);
const GROUPS_READER = new V6Groups();

/** A block of addresses. */
export class Cidr {
  constructor(
    readonly high: u64,
    readonly low: u64,
    private readonly maskHigh: u64,
    private readonly maskLow: u64,
    /** Length of the prefix among the 128 bits of `IpAddress`. */
    readonly prefix: i32,
  ) {}

  /** Returns whether the address lies in the block; an address that is not valid lies in none. */
  contains(address: IpAddress): bool {
    return address.valid && (address.high & this.maskHigh) == this.high && (address.low & this.maskLow) == this.low;
  }
}

/**
 * Returns the block written as `10.0.0.0/8`, `2001:db8::/32` or a bare address (one host), or null when it is none.
 * Allocates.
 */
export function parseCidr(text: string): Cidr | null {
  const bytes = utf8(text);
  const all = viewOf(bytes);
  const slash = indexOf(all, 0x2f, 0);
  const host = slash < 0 ? all : cut(all, 0, slash);
  if (indexOf(host, 0x5b, 0) >= 0 || indexOf(host, 0x25, 0) >= 0) return null;
  const v4 = indexOf(host, 0x2e, 0) >= 0 && indexOf(host, 0x3a, 0) < 0;
  if (!v4 && indexOf(host, 0x3a, indexOf(host, 0x3a, 0) + 1) < 0) return null; // 1.2.3.4:80 is no block
  const address = new IpAddress();
  address.read(host);
  if (!address.valid) return null;
  let prefix = slash < 0 ? (v4 ? 32 : 128) : parseDecimal(cut(all, slash + 1, lengthOf(all)));
  if (prefix < 0 || prefix > (v4 ? 32 : 128)) return null;
  if (v4) prefix += 96;
  const maskHigh = prefix >= 64 ? u64.MAX_VALUE : prefix == 0 ? 0 : u64.MAX_VALUE << (64 - prefix);
  const maskLow = prefix <= 64 ? 0 : prefix == 128 ? u64.MAX_VALUE : u64.MAX_VALUE << (128 - prefix);
  return new Cidr(address.high & maskHigh, address.low & maskLow, maskHigh, maskLow, prefix);
}

// @ts-ignore: decorator
@inline
function byteAt(text: Span, at: i32): u8 {
  return load<u8>(addressOf(text) + at);
}

/** Four decimal numbers up to 255 without leading zeros (those would be octal elsewhere), or -1. */
function readV4(text: Span): i64 {
  let value: i64 = 0;
  let at = 0;
  for (let i = 0; i < 4; i++) {
    const dot = i < 3 ? indexOf(text, 0x2e, at) : lengthOf(text);
    if (dot < 0) return -1;
    const part = cut(text, at, dot);
    const number = parseDecimal(part);
    if (number < 0 || number > 255 || lengthOf(part) > 3 || (lengthOf(part) > 1 && load<u8>(addressOf(part)) == 0x30))
      return -1;
    value = (value << 8) | i64(number);
    at = dot + 1;
  }
  return value;
}

/** One to four hexadecimal digits, or -1. */
function readHex(text: Span): i32 {
  const length = lengthOf(text);
  if (length < 1 || length > 4) return -1;
  let value = 0;
  for (let i = 0; i < length; i++) {
    const byte = i32(load<u8>(addressOf(text) + i));
    const lower = byte | 0x20;
    const digit = byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}
