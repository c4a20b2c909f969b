// A network filter that reads and rewrites what passes, and leaves no garbage.
import {
  BufferType,
  Bytes,
  defineMetric,
  incrementMetric,
  literal,
  MetricType,
  NetworkContext,
  NetworkFilterStatus,
  PeerType,
  readBuffer,
  registerRoot,
  RootContext,
  writeBuffer,
} from "as-proxy-wasm-sdk";

class Pipe extends RootContext {
  bytes: u32 = 0;
  override onConfigure(configuration: Bytes): bool {
    this.bytes = defineMetric(MetricType.Counter, literal("pipe_bytes"));
    return true;
  }
  override createNetworkContext(): NetworkContext {
    return new PipeConnection(this);
  }
}

class PipeConnection extends NetworkContext {
  constructor(private root: Pipe) {
    super();
  }
  override onDownstreamData(size: u32, endOfStream: bool): NetworkFilterStatus {
    const data = readBuffer(BufferType.DownstreamData, 0, size);
    if (data.indexOf(0x0a) < 0) return NetworkFilterStatus.StopIteration;
    incrementMetric(this.root.bytes, size);
    writeBuffer(BufferType.DownstreamData, 0, size, data.trim());
    return NetworkFilterStatus.Continue;
  }
  override onUpstreamData(size: u32, endOfStream: bool): NetworkFilterStatus {
    writeBuffer(BufferType.UpstreamData, size, 0, literal("\n"));
    return NetworkFilterStatus.Continue;
  }
  override onDownstreamClose(peer: PeerType): void {
    incrementMetric(this.root.bytes);
  }
}

registerRoot(() => new Pipe());
