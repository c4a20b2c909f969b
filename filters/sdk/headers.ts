import { allocate, out } from "./abi/arena";
import {
  proxy_add_header_map_value,
  proxy_get_header_map_pairs,
  proxy_get_header_map_value,
  proxy_remove_header_map_value,
  proxy_replace_header_map_value,
  proxy_set_header_map_pairs,
} from "./abi/imports";
import { note, Status } from "./abi/status";
import { Bytes, EMPTY } from "./bytes";
import { callbackSerial } from "./callbacks";
import { HeaderPairs } from "./header-pairs";

/** Which header map, as the ABI numbers them. */
export const enum MapType {
  RequestHeaders = 0,
  RequestTrailers = 1,
  ResponseHeaders = 2,
  ResponseTrailers = 3,
  GrpcReceiveInitialMetadata = 4,
  GrpcReceiveTrailingMetadata = 5,
  HttpCallResponseHeaders = 6,
  HttpCallResponseTrailers = 7,
}

/**
 * One of the stream's header maps. Names are lower case, as Envoy holds them; pseudo headers are `:method`, `:path`,
 * `:authority`, `:status`. A map can be used only in the callback that announces it: after that callback returned
 * Continue the host answers nothing.
 */
// @ts-ignore: decorator
@final
export class HeaderMap {
  /** What `pairs` returned in the callback of this number; 0: nothing, or the map was changed since. */
  private readIn: u64 = 0;
  private read: HeaderPairs = HeaderPairs.none();

  constructor(readonly type: i32) {}

  /**
   * All pairs as views on what the host returned: one host call, the first time in a callback and after a change made
   * through this map. Empty if the map is not there (see `lastStatus`).
   */
  pairs(): HeaderPairs {
    const now = callbackSerial();
    if (this.readIn == now) return this.read;
    if (note(proxy_get_header_map_pairs(this.type, out, out + 4)) != Status.Ok) return HeaderPairs.none();
    this.readIn = now;
    this.read = HeaderPairs.over(load<usize>(out), load<u32>(out, 4));
    return this.read;
  }

  /**
   * The FIRST value of `name`, null if absent (`lastStatus()` tells absent from error). One host call: cheaper than
   * `pairs()` for one header, dearer for several. A security decision must look at every value: use `pairs()`.
   */
  get(name: Bytes): Bytes | null {
    if (note(proxy_get_header_map_value(this.type, name.ptr, name.length, out, out + 4)) != Status.Ok) return null;
    return Bytes.view(load<usize>(out), load<i32>(out, 4));
  }

  /** Adds a value, keeping those that are there. */
  add(name: Bytes, value: Bytes): Status {
    this.readIn = 0;
    return note(proxy_add_header_map_value(this.type, name.ptr, name.length, value.ptr, value.length));
  }

  /** Sets the one value of `name`. */
  replace(name: Bytes, value: Bytes): Status {
    this.readIn = 0;
    return note(proxy_replace_header_map_value(this.type, name.ptr, name.length, value.ptr, value.length));
  }

  /** Removes every value of `name`; Ok if there was none. */
  remove(name: Bytes): Status {
    this.readIn = 0;
    return note(proxy_remove_header_map_value(this.type, name.ptr, name.length));
  }

  /** Replaces the whole map by `pairs` (a `PairsWriter`'s result). */
  setPairs(pairs: Bytes): Status {
    if (pairs.length == 0) return note(Status.BadArgument);
    this.readIn = 0;
    return note(proxy_set_header_map_pairs(this.type, pairs.ptr, pairs.length));
  }
}

/** The request's headers: readable and writable in `onRequestHeaders`. */
export const requestHeaders = new HeaderMap(MapType.RequestHeaders);
/** The request's trailers. */
export const requestTrailers = new HeaderMap(MapType.RequestTrailers);
/** The response's headers: readable and writable in `onResponseHeaders`. */
export const responseHeaders = new HeaderMap(MapType.ResponseHeaders);
/** The response's trailers. */
export const responseTrailers = new HeaderMap(MapType.ResponseTrailers);
/** The headers of an HTTP callout's answer: readable in `onHttpCallResponse`. */
export const httpCallResponseHeaders = new HeaderMap(MapType.HttpCallResponseHeaders);
/** The trailers of an HTTP callout's answer. */
export const httpCallResponseTrailers = new HeaderMap(MapType.HttpCallResponseTrailers);

const MAX_PAIRS = 1024;
const MAX_SIZE = 1 << 20;

/**
 * Writes name-value pairs in the form the host reads (for local replies, HTTP callouts, `setPairs`):
 * `new PairsWriter().add(NAME, value).finish()`. Build constant lists once, at configure time, and keep the result; for
 * lists that differ by request make one writer per module and `clear()` it, so that requests leave no garbage.
 */
// @ts-ignore: decorator
@final
export class PairsWriter {
  private names: Array<usize> = [];

  /** Forgets the pairs. */
  clear(): PairsWriter {
    this.names.length = 0;
    return this;
  }

  /** Appends a pair; the views must stay valid until `finish()`. */
  add(name: Bytes, value: Bytes): PairsWriter {
    this.names.push(changetype<usize>(name));
    this.names.push(changetype<usize>(value));
    return this;
  }

  /**
   * The encoded pairs, valid until the callback ends (`keep` them for longer). Empty beyond the host's limits: 1,024
   * pairs, 1 MiB.
   */
  finish(): Bytes {
    const count = this.names.length >> 1;
    let size = 4;
    for (let i = 0; i < this.names.length; i++) {
      size += 5 + changetype<Bytes>(this.names[i]).length;
      if (size > MAX_SIZE) return EMPTY;
    }
    if (count > MAX_PAIRS) return EMPTY;
    const base = allocate(size);
    store<u32>(base, count);
    let at = base + 4 + count * 8;
    for (let i = 0; i < this.names.length; i++) {
      const part = changetype<Bytes>(this.names[i]);
      store<u32>(base + 4 + i * 4, part.length);
      memory.copy(at, part.ptr, part.length);
      store<u8>(at + part.length, 0);
      at += part.length + 1;
    }
    return Bytes.view(base, size);
  }
}
