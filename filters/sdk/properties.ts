import { out } from "./abi/arena";
import { proxy_get_property, proxy_set_property } from "./abi/imports";
import { note, Status } from "./abi/status";
import { Bytes } from "./bytes";

/**
 * The raw bytes of an attribute, null if absent or refused (`lastStatus()` tells which: NotFound or an error). Strings
 * arrive as they are.
 */
export function getProperty(path: Bytes): Bytes | null {
  if (note(proxy_get_property(path.ptr, path.length, out, out + 4)) != Status.Ok) return null;
  return Bytes.view(load<usize>(out), load<i32>(out, 4));
}

// Three outcomes, told apart by `lastStatus()`: Ok for a value, NotFound for one that is absent, anything else for an
// error (ParseFailure: it is of another type). All but the first give `otherwise`.

function ofAnotherType(): void {
  note(Status.ParseFailure);
}

/** An integer, timestamp or duration (nanoseconds) attribute; `otherwise` if it is absent or not 8 bytes. */
export function getIntegerProperty(path: Bytes, otherwise: i64 = 0): i64 {
  if (note(proxy_get_property(path.ptr, path.length, out, out + 4)) != Status.Ok) return otherwise;
  if (load<u32>(out, 4) == 8) return load<i64>(load<usize>(out));
  ofAnotherType();
  return otherwise;
}

/** A floating point attribute; `otherwise` if it is absent or not 8 bytes. Numbers inside metadata are of this form. */
export function getNumberProperty(path: Bytes, otherwise: f64 = 0): f64 {
  if (note(proxy_get_property(path.ptr, path.length, out, out + 4)) != Status.Ok) return otherwise;
  if (load<u32>(out, 4) == 8) return load<f64>(load<usize>(out));
  ofAnotherType();
  return otherwise;
}

/** A boolean attribute; `otherwise` if it is absent or not 1 byte. */
export function getBooleanProperty(path: Bytes, otherwise: bool = false): bool {
  if (note(proxy_get_property(path.ptr, path.length, out, out + 4)) != Status.Ok) return otherwise;
  if (load<u32>(out, 4) == 1) return load<u8>(load<usize>(out)) != 0;
  ofAnotherType();
  return otherwise;
}

/**
 * Sets the stream's filter state `wasm.<path>` (route matches on filter state see it, and later filters by this same
 * path).
 */
export function setProperty(path: Bytes, value: Bytes): Status {
  return note(proxy_set_property(path.ptr, path.length, value.ptr, value.length));
}
