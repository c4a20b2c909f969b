// A network filter that logs each callback and acts on words in the data, for the Wasm host and a real Envoy alike.
import {
  BufferType,
  bufferLength,
  closeDownstream,
  getProperty,
  literal,
  log,
  LogLevel,
  NetworkContext,
  NetworkFilterStatus,
  PeerType,
  propertyPath,
  readBuffer,
  registerRoot,
  RootContext,
  writeBuffer,
} from "as-proxy-wasm-sdk";

class Connections extends RootContext {
  override createNetworkContext(): NetworkContext {
    return new Connection();
  }
}

class Connection extends NetworkContext {
  private bytes: u32 = 0;

  override onStart(): void {
    this.bytes = 0;
  }
  private say(what: string): void {
    log(LogLevel.Warn, "connection: " + what);
  }

  override onNewConnection(): NetworkFilterStatus {
    this.say("new, from " + (getProperty(propertyPath("source/address")) === null ? "nowhere" : "somewhere"));
    return NetworkFilterStatus.Continue;
  }

  override onDownstreamData(size: u32, endOfStream: bool): NetworkFilterStatus {
    const data = readBuffer(BufferType.DownstreamData, 0, size);
    this.say(
      "down " +
        data.toString().trim() +
        (bufferLength(BufferType.DownstreamData) == size ? "" : " (of more)") +
        (endOfStream ? " end" : ""),
    );
    if (data.indexOfBytes(literal("close")) >= 0) {
      closeDownstream();
      return NetworkFilterStatus.StopIteration;
    }
    if (data.indexOf(0x0a) < 0 && !endOfStream) return NetworkFilterStatus.StopIteration;
    this.bytes += size;
    if (data.startsWith(literal("swap"))) writeBuffer(BufferType.DownstreamData, 0, size, literal("swapped\n"));
    return NetworkFilterStatus.Continue;
  }

  override onUpstreamData(size: u32, endOfStream: bool): NetworkFilterStatus {
    if (size > 0) writeBuffer(BufferType.UpstreamData, 0, 0, literal("> "));
    this.say("up " + size.toString() + (endOfStream ? " end" : ""));
    return NetworkFilterStatus.Continue;
  }

  override onDownstreamClose(peer: PeerType): void {
    this.say("client gone: " + (<i32>peer).toString());
  }
  override onUpstreamClose(peer: PeerType): void {
    this.say("upstream gone: " + (<i32>peer).toString());
  }
  override onLog(): void {
    this.say("log " + this.bytes.toString());
  }
  override onEnd(): void {
    this.say("end");
  }
}

registerRoot(() => new Connections());
