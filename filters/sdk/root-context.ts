import { Bytes } from "./bytes";
import { HttpContext } from "./http-context";
import { log, LogLevel } from "./log";
import { NetworkContext } from "./network-context";
import { StreamOwner } from "./stream-context";

/**
 * One configured plugin in this VM (a VM may hold several, for example the old and the new one while configuration
 * changes). Override `onConfigure`, and `createHttpContext` or (for TCP) `createNetworkContext`.
 */
export abstract class RootContext extends StreamOwner {
  /** The VM starts; `configuration` is the VM's own, usually empty. False refuses to start. */
  onVmStart(configuration: Bytes): bool {
    return true;
  }
  /** The plugin's configuration arrives. False refuses it: return `this.reject("…")` to say why. */
  onConfigure(configuration: Bytes): bool {
    return true;
  }
  /** A new object for streams; called only when none is free. */
  createHttpContext(): HttpContext {
    return unreachable();
  }
  /** A new object for TCP connections; null (the default) in a root of HTTP streams. */
  createNetworkContext(): NetworkContext | null {
    return null;
  }
  /** The timer set by `setTickPeriod` fired. */
  onTick(): void {}
  /** The answer to an `httpCall` made by this root itself; 0 headers: the call failed. */
  onHttpCallResponse(token: u32, headers: u32, bodySize: u32, trailers: u32): void {}
  /** As the stream's callback of this name, for a `grpcStream` opened by this root itself. */
  onGrpcInitialMetadata(token: u32, headers: u32): void {}
  /** As the stream's callback of this name, for gRPC callouts made by this root itself. */
  onGrpcMessage(token: u32, size: u32): void {}
  /** As the stream's callback of this name, for a `grpcStream` opened by this root itself. */
  onGrpcTrailingMetadata(token: u32, trailers: u32): void {}
  /** As the stream's callback of this name, for gRPC callouts made by this root itself. */
  onGrpcClose(token: u32, status: u32): void {}
  /**
   * There are messages in a queue this root registered: `dequeue` until null, another message may have been announced
   * with this one.
   */
  onQueueReady(queue: u32): void {}
  /** The root is to end; false keeps it until `proxy_done`. */
  onDone(): bool {
    return true;
  }

  /** Logs at error level why the configuration is refused, and returns false. */
  reject(reason: string): bool {
    log(LogLevel.Error, "configuration refused: " + reason);
    return false;
  }
}
