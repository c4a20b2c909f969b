import { out } from "./abi/arena";
import {
  proxy_dequeue_shared_queue,
  proxy_enqueue_shared_queue,
  proxy_register_shared_queue,
  proxy_resolve_shared_queue,
} from "./abi/imports";
import { note, Status } from "./abi/status";
import { Bytes, EMPTY } from "./bytes";

/**
 * Makes the queue `name` of this plugin's vm_id, or takes it over: its messages are announced (`onQueueReady`) to the
 * root that registered it last, on that root's worker. Returns its token, 0 if refused. Register while configuring;
 * messages that are there stay.
 */
export function registerQueue(name: Bytes): u32 {
  return note(proxy_register_shared_queue(name.ptr, name.length, out)) == Status.Ok ? load<u32>(out) : 0;
}

/** The token of a queue that was registered under `vmId` (empty: this plugin's own), 0 if there is none (NotFound). */
export function resolveQueue(name: Bytes, vmId: Bytes = EMPTY): u32 {
  return note(proxy_resolve_shared_queue(vmId.ptr, vmId.length, name.ptr, name.length, out)) == Status.Ok
    ? load<u32>(out)
    : 0;
}

/** Appends a message. There is no bound: a queue that nobody reads grows. NotFound: no such queue. */
export function enqueue(queue: u32, message: Bytes): Status {
  return note(proxy_enqueue_shared_queue(queue, message.ptr, message.length));
}

/**
 * Takes the oldest message, valid until the callback ends; null if there is none (`lastStatus()`: Empty) or no such
 * queue (NotFound).
 */
export function dequeue(queue: u32): Bytes | null {
  store<u64>(out, 0);
  if (note(proxy_dequeue_shared_queue(queue, out, out + 4)) != Status.Ok) return null;
  return Bytes.view(load<usize>(out), load<i32>(out, 4));
}
