// consumes: Envoy's attributes and request headers
// produces: what filters ask of a request, each looked up when first asked and once per request
// never does: take a header's word for who the caller is
import {
  Bytes,
  callbackSerial,
  CONNECTION_PEER_URI_SAN,
  CONNECTION_REQUESTED_SERVER_NAME,
  DESTINATION_ADDRESS,
  DESTINATION_PORT,
  getIntegerProperty,
  getProperty,
  HeaderPairs,
  isMutualTls,
  literal,
  propertyPath,
  requestHeaders,
  SOURCE_ADDRESS,
} from "as-proxy-wasm-sdk";
import { AuthorizationRequest } from "../policy/authorization-request";
import { ABSENT, addressOf, emptySpan, indexOf, lengthOf, Span, spanOf } from "../policy/bytes";
import { IpAddress } from "../policy/cidr";
import { ClaimPath, ClaimValue, requestPrincipal } from "../policy/jwt-claims";
import { Principal } from "../policy/principal";
import { hasLenientReading, LenientForm, lenientPath, pathOf, queryOf } from "../policy/request-text";
import { SpanList } from "../policy/span-list";
import { hostMetadata } from "./host-metadata";

const METHOD = literal(":method");
const PATH = literal(":path");
const AUTHORITY = literal(":authority");
/**
 * The connection's own remote address, put there per connection by the listener
 * (envoy.filters.network.set_filter_state): the attribute source.address is what X-Forwarded-For says wherever Envoy is
 * told to believe it. Without it source.address stands in.
 */
const PEER_ADDRESS = propertyPath("filter_state\0scrim.peer_address");

const DASH: u8 = 0x2d;
const UNDERSCORE: u8 = 0x5f;

/** Returns whether two names differ, and only by `_` for `-`. */
function isAlike(one: Span, other: Span): bool {
  const length = lengthOf(one);
  if (length != lengthOf(other)) return false;
  let differs = false;
  for (let i = 0; i < length; i++) {
    const a = load<u8>(addressOf(one) + i);
    const b = load<u8>(addressOf(other) + i);
    if (a == b) continue;
    if ((a != DASH && a != UNDERSCORE) || (b != DASH && b != UNDERSCORE)) return false;
    differs = true;
  }
  return differs;
}

/** One lenient reading of the request's path, made when it is asked for. */
class LenientPath {
  isRead: bool = false;
  private reading: Span = ABSENT;
  private bytes: StaticArray<u8> = new StaticArray<u8>(256);

  constructor(private readonly form: LenientForm) {}

  of(path: Span): Span {
    if (this.isRead) return this.reading;
    this.isRead = true;
    if (path == ABSENT || !hasLenientReading(path)) return (this.reading = path);
    // Grows once per longest path; Envoy bounds those.
    if (this.bytes.length < lengthOf(path)) this.bytes = new StaticArray<u8>(lengthOf(path) * 2);
    return (this.reading = lenientPath(path, changetype<usize>(this.bytes), this.form));
  }
}

/** Returns the view policies work on. */
// @ts-ignore: decorator
@inline
function spanOfBytes(bytes: Bytes | null): Span {
  return bytes == null ? ABSENT : spanOf(bytes.ptr, bytes.length);
}

/** The request being decided. One object serves all requests: a decision never waits. */
export class HostRequest extends AuthorizationRequest {
  /** Set when Envoy had no headers to show: nothing may be let in then. */
  headersMissing: bool = false;
  private readIn: u64 = 0;
  private pairs: HeaderPairs = HeaderPairs.none();
  private pairsRead: bool = false;
  private pathRead: bool = false;
  private pathValue: Span = ABSENT;
  /** By LenientForm. */
  private readonly lenient: StaticArray<LenientPath> = [
    new LenientPath(LenientForm.SlashesFirst),
    new LenientPath(LenientForm.DotsFirst),
    new LenientPath(LenientForm.Decoded),
  ];
  private principalRead: bool = false;
  private readonly principalValue: Principal = new Principal();
  private requestPrincipalRead: bool = false;
  private requestPrincipalValue: Span = ABSENT;
  private peerIpRead: bool = false;
  private readonly peerIpValue: IpAddress = new IpAddress();
  private remoteIpRead: bool = false;
  private readonly remoteIpValue: IpAddress = new IpAddress();
  private readonly destinationIpValue: IpAddress = new IpAddress();

  /** Forgets the last request; what was read in this same callback stays, for all functions of one module. */
  begin(): void {
    const now = callbackSerial();
    if (this.readIn == now) return;
    this.readIn = now;
    this.headersMissing = false;
    this.pairsRead = false;
    this.pathRead = false;
    for (let form = 0; form < this.lenient.length; form++) unchecked(this.lenient[form]).isRead = false;
    this.principalRead = false;
    this.requestPrincipalRead = false;
    this.peerIpRead = false;
    this.remoteIpRead = false;
  }

  override method(): Span {
    return spanOfBytes(this.headers().first(METHOD));
  }

  override path(): Span {
    if (!this.pathRead) {
      this.pathRead = true;
      this.pathValue = pathOf(spanOfBytes(this.headers().first(PATH)));
    }
    return this.pathValue;
  }

  override lenientPath(form: LenientForm): Span {
    return unchecked(this.lenient[form]).of(this.path());
  }

  override query(): Span {
    const target = spanOfBytes(this.headers().first(PATH));
    return target == ABSENT ? emptySpan() : queryOf(target);
  }

  override authority(): Span {
    return spanOfBytes(this.headers().first(AUTHORITY));
  }

  override principal(): Principal {
    if (!this.principalRead) {
      this.principalRead = true;
      this.principalValue.clear();
      if (isMutualTls()) this.principalValue.read(spanOfBytes(getProperty(CONNECTION_PEER_URI_SAN)));
    }
    return this.principalValue;
  }

  override requestPrincipal(): Span {
    if (!this.requestPrincipalRead) {
      this.requestPrincipalRead = true;
      this.requestPrincipalValue = requestPrincipal(hostMetadata);
    }
    return this.requestPrincipalValue;
  }

  override metadata(path: ClaimPath, value: ClaimValue): void {
    path.read(hostMetadata, value);
  }

  override peerIp(): IpAddress {
    if (!this.peerIpRead) {
      this.peerIpRead = true;
      const own = getProperty(PEER_ADDRESS);
      this.peerIpValue.read(spanOfBytes(own != null ? own : getProperty(SOURCE_ADDRESS)));
    }
    return this.peerIpValue;
  }

  override remoteIp(): IpAddress {
    if (!this.remoteIpRead) {
      this.remoteIpRead = true;
      this.remoteIpValue.read(spanOfBytes(getProperty(SOURCE_ADDRESS)));
    }
    return this.remoteIpValue;
  }

  override destinationIp(): IpAddress {
    this.destinationIpValue.read(spanOfBytes(getProperty(DESTINATION_ADDRESS)));
    return this.destinationIpValue;
  }

  override destinationPort(): i32 {
    return i32(getIntegerProperty(DESTINATION_PORT, -1));
  }

  override serverName(): Span {
    return spanOfBytes(getProperty(CONNECTION_REQUESTED_SERVER_NAME));
  }

  override headerValues(name: Span, values: SpanList): void {
    const cursor = this.headers().begin();
    const wanted = Bytes.view(addressOf(name), lengthOf(name));
    while (cursor.nextNamed(wanted)) values.push(spanOf(cursor.valuePtr, cursor.valueLength));
  }

  override alikeHeaderValues(name: Span, values: SpanList): void {
    if (indexOf(name, DASH, 0) < 0 && indexOf(name, UNDERSCORE, 0) < 0) return;
    const cursor = this.headers().begin();
    while (cursor.next()) {
      if (isAlike(spanOf(cursor.namePtr, cursor.nameLength), name))
        values.push(spanOf(cursor.valuePtr, cursor.valueLength));
    }
  }

  override joinedHeader(name: Span): Span {
    return spanOfBytes(this.headers().joined(Bytes.view(addressOf(name), lengthOf(name))));
  }

  private headers(): HeaderPairs {
    if (!this.pairsRead) {
      this.pairsRead = true;
      this.pairs = requestHeaders.pairs();
      this.headersMissing = this.pairs.count == 0;
    }
    return this.pairs;
  }
}

/** The current request, shared by the functions of one module. Call `begin` in each callback before asking. */
export const hostRequest = new HostRequest();
