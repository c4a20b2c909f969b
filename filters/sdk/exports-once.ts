// For filters whose streams do all they have to in onRequestHeaders: index.ts takes proxy_on_context_create and
// proxy_on_request_headers from here, the rest from "exports", and leaves proxy_on_delete out. Each stream then costs
// two entries into the VM instead of three, and one object serves them all: its onStart, onRequestHeaders and onEnd run
// in one callback. The compiler refuses this for a filter that implements any other callback of streams.
//
// Nobody tells such a module that a root is gone: it asks, whenever a new one comes.

import { enter, leave } from "./callbacks";
import { findRoot, freeDeadRoots, objectOf, openRoot } from "./contexts";
import { HttpContext } from "./http-context";
import { RootContext } from "./root-context";

// Streams that were created last. Envoy calls onRequestHeaders right after; those it never calls (refused before this
// filter) are simply overwritten.
const RECENT = 64;
const ids: StaticArray<u32> = new StaticArray<u32>(RECENT);
const owners: StaticArray<RootContext | null> = new StaticArray<RootContext | null>(RECENT);

export function proxy_on_context_create(id: u32, parent: u32): void {
  if (parent == 0) {
    enter("context_create", id);
    freeDeadRoots(id);
    openRoot(id);
    leave();
    return;
  }
  const at = id & (RECENT - 1);
  unchecked((ids[at] = id));
  unchecked((owners[at] = findRoot(parent)));
}

/** As the one of "exports"; traps for a stream that was not among the last created, which fails closed. */
export function proxy_on_request_headers(id: u32, headers: u32, endOfStream: u32): u32 {
  enter("request_headers", id);
  const at = id & (RECENT - 1);
  const stream = changetype<HttpContext>(
    objectOf(unchecked(ids[at]) == id ? unchecked(owners[at])! : unreachable(), id),
  );
  stream.onStart();
  const status = stream.onRequestHeaders(headers, endOfStream != 0);
  stream.onEnd();
  leave();
  return status;
}
