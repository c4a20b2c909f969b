// A network filter: lets a TCP connection pass only if it begins with given bytes, and closes it before upstream has
// seen any other. Configuration: {"preface": "HELLO "}. Counts what it closed.
import {
  BufferType,
  Bytes,
  closeDownstream,
  defineMetric,
  EMPTY,
  incrementMetric,
  JsonDocument,
  literal,
  MetricType,
  NetworkContext,
  NetworkFilterStatus,
  readBuffer,
  registerRoot,
  RootContext,
} from "as-proxy-wasm-sdk";

class PrefaceGate extends RootContext {
  preface: Bytes = EMPTY;
  closed: u32 = 0;

  override onConfigure(configuration: Bytes): bool {
    const document = new JsonDocument(configuration, this.region);
    this.preface = document.root.object().only(["preface"]).get("preface").bytes();
    if (!document.ok) return this.reject(document.error);
    this.closed = defineMetric(MetricType.Counter, literal("preface_gate_closed"));
    return true;
  }

  override createNetworkContext(): NetworkContext {
    return new PrefaceGateConnection(this);
  }
}

class PrefaceGateConnection extends NetworkContext {
  private passed: bool = false;
  constructor(private root: PrefaceGate) {
    super();
  }
  override onStart(): void {
    this.passed = false;
  }

  override onDownstreamData(size: u32, endOfStream: bool): NetworkFilterStatus {
    if (this.passed) return NetworkFilterStatus.Continue;
    const preface = this.root.preface;
    // held data come again, from the first byte on
    const begin = readBuffer(BufferType.DownstreamData, 0, min<u32>(size, preface.length));
    if (begin.equals(preface)) {
      this.passed = true;
      return NetworkFilterStatus.Continue;
    }
    if (endOfStream || !preface.startsWith(begin)) {
      incrementMetric(this.root.closed);
      closeDownstream();
    }
    return NetworkFilterStatus.StopIteration;
  }
}

registerRoot(() => new PrefaceGate());
