// For filters that know their last callback of a stream: index.ts takes proxy_on_context_create from here, and
// proxy_on_log (or, without that, proxy_on_response_headers) too, the rest from "exports", and leaves proxy_on_delete
// out. After that callback the stream is over: its object goes back to the free list without another entry into the VM.
// What comes for the stream after that, such as a late answer to a callout, is dropped as for any stream that is gone.
//
// Streams whose last callback never came (cut off before they were answered) are found by asking the host which are
// still there, whenever the table of streams would have to grow; roots that are gone, whenever a new one comes.

import { enter, enterEnd, leave } from "./callbacks";
import {
  closeStreamObject,
  findRoot,
  findStream,
  freeDeadRoots,
  freeDeadStreams,
  openRoot,
  openStream,
} from "./contexts";
import { HttpContext } from "./http-context";

export function proxy_on_context_create(id: u32, parent: u32): void {
  enter("context_create", id);
  if (parent == 0) {
    freeDeadRoots(id);
    openRoot(id);
  } else {
    const root = findRoot(parent);
    if (root !== null) {
      freeDeadStreams(id);
      openStream(id, root);
    }
  }
  leave();
}

export function proxy_on_log(id: u32): void {
  enterEnd("log", id);
  const stream = findStream(id);
  if (stream !== null) {
    stream.onLog();
    closeStreamObject(id);
  }
  leave();
}

export function proxy_on_response_headers(id: u32, headers: u32, endOfStream: u32): u32 {
  enterEnd("response_headers", id);
  const stream = changetype<HttpContext>(findStream(id)!);
  const status = stream.onResponseHeaders(headers, endOfStream != 0);
  closeStreamObject(id);
  leave();
  return status;
}
