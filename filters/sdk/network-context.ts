import { proxy_close_stream, proxy_continue_stream } from "./abi/imports";
import { note, Status } from "./abi/status";
import { StreamContext } from "./stream-context";

/** What a connection's callback answers. */
export const enum NetworkFilterStatus {
  Continue = 0,
  /** Hold here. Data that came so far are seen again, with those that come, in the next callback. */
  StopIteration = 1,
}

/** Who closed a connection. */
export const enum PeerType {
  Unknown = 0,
  /** This proxy. */
  Local = 1,
  /** The other side. */
  Remote = 2,
}

/**
 * One TCP connection (Envoy's `envoy.filters.network.wasm`). A root that makes these overrides `createNetworkContext`.
 * Objects are recycled as those of `HttpContext`: `onStart` must reset their fields.
 */
export abstract class NetworkContext extends StreamContext {
  /** A client connected. */
  onNewConnection(): NetworkFilterStatus {
    return NetworkFilterStatus.Continue;
  }
  /**
   * `size` bytes from the client: `readBuffer(BufferType.DownstreamData, 0, size)`. `endOfStream`: it sends no more.
   */
  onDownstreamData(size: u32, endOfStream: bool): NetworkFilterStatus {
    return NetworkFilterStatus.Continue;
  }
  /** `size` bytes from upstream: `readBuffer(BufferType.UpstreamData, 0, size)`. */
  onUpstreamData(size: u32, endOfStream: bool): NetworkFilterStatus {
    return NetworkFilterStatus.Continue;
  }
  /** The client's connection is closed; `onLog` and `onEnd` follow. */
  onDownstreamClose(peer: PeerType): void {}
  /** Upstream sends no more (Envoy always says `Unknown`). */
  onUpstreamClose(peer: PeerType): void {}
}

/** Lets held data of the client go on. There is no such call for data from upstream: Envoy answers Unimplemented. */
export function continueDownstream(): Status {
  return note(proxy_continue_stream(2));
}

/** Closes the client's connection after what was written. */
export function closeDownstream(): Status {
  return note(proxy_close_stream(2));
}
