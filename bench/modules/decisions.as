// Authorization and the bucket, by hand: what the examples' configurations ask for and nothing else.
import {
  findHeader,
  hostGetShared,
  hostSetShared,
  monotonicNs,
  out,
  property,
  Text,
  valueAt,
  valueBegins,
  valueIs,
  valueLength,
} from "./raw";

const path = new Text(":path"),
  method = new Text(":method"),
  role = new Text("x-role"),
  user = new Text("x-user");
const admin = new Text("/admin"),
  banned = new Text("banned"),
  get = new Text("GET"),
  post = new Text("POST"),
  reviews = new Text("/reviews/");
let caller: bool = false;
const identity = new Text("connection\0uri_san_peer_certificate"),
  orders = new Text("spiffe://cluster.local/ns/default/sa/orderservice-sa");
const mtls = new Text("connection\0mtls"),
  peer = new Text("filter_state\0scrim.peer_address"),
  loopback = new Text("127.");

export let authenticated: bool = false;

export function readCaller(): void {
  authenticated = property(mtls) && load<u8>(load<u32>(out)) != 0;
  // Whoever is authenticated is told apart by the certificate's URI.
  if (authenticated && property(identity))
    caller = load<u32>(out + 4) == u32(orders.length) && memory.compare(load<u32>(out), orders.at, orders.length) == 0;
  else caller = false;
}

export function isAllowed(): bool {
  if (findHeader(path) && valueBegins(admin)) return false;
  if (findHeader(role) && valueIs(banned)) return false;
  readCaller();
  if (!caller) {
    if (!property(peer)) return false;
    const address = load<u32>(out),
      length = load<u32>(out + 4);
    if (length < 4 || memory.compare(address, loopback.at, 4) != 0) return false;
  }
  if (!findHeader(method) || !(valueIs(get) || valueIs(post))) return false;
  return findHeader(path) && valueBegins(reviews);
}

const slotKey = new Text("bench/slot/00");
const SLOT_SIZE = 128;
const slot: usize = memory.data(128, 16);
const NS_PER_TOKEN: i64 = 100,
  BURST_NS: i64 = 1_000_000_000;

// Both buckets are leased from: this worker's own tokens nearly always, those of all workers (shared data) when they
// are used up.
const LEASE: i64 = 1000;
const leases: usize = memory.data(64 * 16, 16); // u64 hash of the key, i64 tokens left
let reserve: i64 = 0,
  reserveAt: i64 = 0;

function lease(hash: u32, now: i64): bool {
  store<u8>(slotKey.at + 11, 0x40 + (hash & 63));
  store<u8>(slotKey.at + 12, 0x40 + ((hash >> 6) & 63));
  for (let attempt = 0; attempt < 64; attempt++) {
    const known =
      hostGetShared(slotKey.at, slotKey.length, out, out + 4, out + 8) == 0 && load<u32>(out + 4) == SLOT_SIZE;
    if (known) memory.copy(slot, load<u32>(out), SLOT_SIZE);
    else memory.fill(slot, 0, SLOT_SIZE);
    const entry = slot + (hash >> 29) * 16;
    store<u64>(entry, hash);
    const fullAt = max(load<i64>(entry, 8), now) + NS_PER_TOKEN * LEASE;
    if (fullAt - now > BURST_NS) return false;
    store<i64>(entry, fullAt, 8);
    if (hostSetShared(slotKey.at, slotKey.length, slot, SLOT_SIZE, known ? load<u32>(out + 8) : 0xffffffff) == 0)
      return true;
  }
  return false;
}

export function hasToken(knowsCaller: bool): bool {
  const now = monotonicNs();
  if (findHeader(method) && valueIs(get) && findHeader(path) && valueBegins(reviews)) {
    let hash: u32 = 0x811c9dc5;
    if (findHeader(user)) for (let i: u32 = 0; i < valueLength; i++) hash = (hash ^ load<u8>(valueAt + i)) * 0x01000193;
    const own = leases + (hash & 63) * 16;
    if (load<u64>(own) != hash || load<i64>(own, 8) <= 0) {
      if (!lease(hash, now)) return false;
      store<u64>(own, hash);
      store<i64>(own, LEASE, 8);
    }
    store<i64>(own, load<i64>(own, 8) - 1, 8);
  }
  if (!knowsCaller) readCaller();
  reserve = min(reserve + (now - reserveAt), BURST_NS) - NS_PER_TOKEN;
  reserveAt = now;
  return reserve >= 0;
}
