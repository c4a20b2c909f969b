// consumes: Envoy's attributes and request headers
// produces: what routing asks of a request: its pseudo-headers in one pass, the rest when asked
// never does: read headers that were not read at `begin`
import { Bytes, getProperty, HeaderPairs, literal, requestHeaders, SOURCE_ADDRESS } from "as-proxy-wasm-sdk";
import { ABSENT, addressOf, lengthOf, Span, spanOf } from "../policy/bytes";
import { MetadataReader } from "../policy/jwt-claims";
import { cookieValue, hostOf, pathOf, queryOf } from "../policy/request-text";
import { RouteRequest } from "../policy/route-match";
import { SpanList } from "../policy/span-list";
import { hostMetadata } from "./host-metadata";

const METHOD = literal(":method");
const PATH = literal(":path");
const AUTHORITY = literal(":authority");
const SCHEME = literal(":scheme");
const COOKIE = literal("cookie");

/** The request being routed. One object serves all: a decision never waits. */
export class HostRouteRequest extends RouteRequest {
  private pairs: HeaderPairs = HeaderPairs.none();

  /** Reads the current request's headers. */
  begin(): void {
    const pairs = requestHeaders.pairs();
    this.pairs = pairs;
    this.path = ABSENT;
    this.query = ABSENT;
    this.method = ABSENT;
    this.authority = ABSENT;
    this.scheme = ABSENT;
    const cursor = pairs.begin();
    while (cursor.next()) {
      if (cursor.nameLength == 0 || load<u8>(cursor.namePtr) != 0x3a) continue;
      const value = spanOf(cursor.valuePtr, cursor.valueLength);
      if (cursor.nameIs(PATH)) {
        this.path = pathOf(value);
        this.query = queryOf(value);
      } else if (cursor.nameIs(METHOD)) this.method = value;
      else if (cursor.nameIs(AUTHORITY)) this.authority = value;
      else if (cursor.nameIs(SCHEME)) this.scheme = value;
    }
  }

  override header(name: Span, to: SpanList): void {
    const cursor = this.pairs.begin();
    const wanted = Bytes.view(addressOf(name), lengthOf(name));
    while (cursor.nextNamed(wanted)) to.push(spanOf(cursor.valuePtr, cursor.valueLength));
  }

  override cookie(name: Span): Span {
    const cursor = this.pairs.begin();
    while (cursor.nextNamed(COOKIE)) {
      const value = cookieValue(spanOf(cursor.valuePtr, cursor.valueLength), name);
      if (value != ABSENT) return value;
    }
    return ABSENT;
  }

  override sourceIp(): Span {
    const address = getProperty(SOURCE_ADDRESS);
    return address == null ? ABSENT : hostOf(spanOf(address.ptr, address.length));
  }

  override get metadata(): MetadataReader {
    return hostMetadata;
  }
}

/** The current request. Call `begin` in each callback before asking. */
export const hostRouteRequest = new HostRouteRequest();
