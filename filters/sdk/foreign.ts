import { out } from "./abi/arena";
import { proxy_call_foreign_function } from "./abi/imports";
import { note, Status } from "./abi/status";
import { Bytes, EMPTY } from "./bytes";
import { literal } from "./literal";

/** Calls one of Envoy's own functions by name. Null unless it answered Ok; empty if it answers nothing. */
export function callForeign(name: Bytes, argument: Bytes = EMPTY): Bytes | null {
  store<u64>(out, 0);
  if (
    note(proxy_call_foreign_function(name.ptr, name.length, argument.ptr, argument.length, out, out + 4)) != Status.Ok
  )
    return null;
  return Bytes.view(load<usize>(out), load<i32>(out, 4));
}

/**
 * As `callForeign`, for functions whose result does not matter: what the host answered, NotFound if it has no such
 * function.
 */
export function runForeign(name: Bytes, argument: Bytes = EMPTY): Status {
  store<u64>(out, 0);
  return note(proxy_call_foreign_function(name.ptr, name.length, argument.ptr, argument.length, out, out + 4));
}

// @ts-ignore: decorator
@lazy
const CLEAR_ROUTE_CACHE: Bytes = literal("clear_route_cache");

/** Makes Envoy choose the route again, with what filters have set since. */
export function clearRouteCache(): Status {
  return note(proxy_call_foreign_function(CLEAR_ROUTE_CACHE.ptr, CLEAR_ROUTE_CACHE.length, 0, 0, out, out + 4));
}
