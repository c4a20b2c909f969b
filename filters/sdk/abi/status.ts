/** What a host call answered (proxy-wasm ABI 0.2.1, `proxy_status_t`). */
export enum Status {
  Ok = 0,
  NotFound = 1,
  BadArgument = 2,
  SerializationFailure = 3,
  ParseFailure = 4,
  BadExpression = 5,
  InvalidMemoryAccess = 6,
  Empty = 7,
  CasMismatch = 8,
  ResultMismatch = 9,
  InternalFailure = 10,
  BrokenConnection = 11,
  Unimplemented = 12,
}

let last: i32 = Status.Ok;

/**
 * The status of the last host call made through the SDK: tells "absent" (NotFound) from an error where a value came
 * back null.
 */
export function lastStatus(): Status {
  return last;
}

/** Remembers what a host call answered and returns it. For the SDK's own use. */
// @ts-ignore: decorator
@inline
export function note(status: i32): Status {
  last = status;
  return status;
}
