import { out } from "./abi/arena";
import { proxy_get_shared_data, proxy_set_shared_data } from "./abi/imports";
import { note, Status } from "./abi/status";
import { Bytes } from "./bytes";

/** As `cas` of `setShared`: write whatever is there. */
export const ANY_VERSION: u32 = 0;
/** As `cas` of `setShared`: write only if the key is new. */
export const CREATE: u32 = 0xffffffff;

let version: u32 = 0;

/**
 * The value all workers share under `key` (within the plugin's vm_id), null if there is none. `sharedVersion()` is then
 * its version.
 */
export function getShared(key: Bytes): Bytes | null {
  if (note(proxy_get_shared_data(key.ptr, key.length, out, out + 4, out + 8)) != Status.Ok) {
    version = CREATE;
    return null;
  }
  version = load<u32>(out, 8);
  return Bytes.view(load<usize>(out), load<i32>(out, 4));
}

/** The version (cas) that the last `getShared` saw: hand it to `setShared`. `CREATE` if there was no value. */
export function sharedVersion(): u32 {
  return version;
}

/** Writes `value`. CasMismatch: another worker was faster, read again. There is no delete. */
export function setShared(key: Bytes, value: Bytes, cas: u32 = ANY_VERSION): Status {
  return note(proxy_set_shared_data(key.ptr, key.length, value.ptr, value.length, cas));
}
